package io.kvasir.model.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// The two names of content on a hub: SHA-256 of the bytes for large files, and for small files
/// what git calls the blob's id, SHA-1 over `blob LENGTH\0` and the bytes.
final class Checksum {
  private static final int BUFFER_BYTES = 1 << 20;

  private Checksum() {}

  /// The checksum of `content` in the kind that `file` has one of.
  ///
  /// @throws InterruptedException where the thread is interrupted while it reads
  static String of(Path content, RemoteFile file, ProgressMeter meter)
      throws IOException, InterruptedException {
    MessageDigest digest = digest(file.isLarge() ? "SHA-256" : "SHA-1");
    if (!file.isLarge()) {
      digest.update(("blob " + file.bytes() + "\0").getBytes(StandardCharsets.UTF_8));
    }
    byte[] buffer = new byte[(int) Math.min(BUFFER_BYTES, Math.max(1, file.bytes()))];
    try (InputStream in = Files.newInputStream(content)) {
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        digest.update(buffer, 0, read);
        meter.add(read);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest digest(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(algorithm + " is part of every Java platform", e);
    }
  }
}
