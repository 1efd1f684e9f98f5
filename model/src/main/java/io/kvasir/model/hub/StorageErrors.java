package io.kvasir.model.hub;

import io.kvasir.model.hub.HubException.Kind;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;

/// Sentences for a cache folder that cannot be written.
final class StorageErrors {
  private static final long ALMOST_NOTHING = 1 << 20;

  private StorageErrors() {}

  /// What a failed write of `what` at `path` means. The Java platform reports a full disk by the
  /// operating system's message only.
  static HubException explain(IOException failure, Path path, String what, Disk disk) {
    if (failure instanceof HubException explained) {
      return explained;
    }
    String message = String.valueOf(failure.getMessage());
    String lower = message.toLowerCase(Locale.ROOT);
    boolean full =
        lower.contains("no space left")
            || lower.contains("not enough space")
            || lower.contains("quota exceeded");
    if (full || isFull(path, disk)) {
      return new HubException(
          Kind.DISK_FULL,
          "no space is left in "
              + path.getParent()
              + " for "
              + what
              + ": free some and pull again, what has arrived is kept",
          failure);
    }
    return new HubException(
        Kind.STORAGE, "cannot write " + path + " for " + what + ": " + message, failure);
  }

  private static boolean isFull(Path path, Disk disk) {
    try {
      Path parent = path.getParent();
      return parent != null && disk.usableBytes(parent) < ALMOST_NOTHING;
    } catch (IOException e) {
      return false;
    }
  }

  /// `bytes` with a unit.
  static String size(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    String units = "KMGTPE";
    int unit = Math.min((63 - Long.numberOfLeadingZeros(bytes)) / 10, units.length());
    return String.format(
        Locale.ROOT, "%.1f %ciB", bytes / (double) (1L << 10 * unit), units.charAt(unit - 1));
  }
}
