package io.kvasir.kvcache.tier;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/// The folder of a [DiskTier]: which slabs are there and whose they are.
///
/// ```
/// OWNER.owner        locked by the operating system for as long as the owner lives
/// OWNER-NUMBER.slab  a slab that only OWNER writes to; anybody may read it
/// OWNER-NUMBER.tmp   a slab in the making
/// ```
///
/// An owner is one open tier, named `PROCESS-TIER` by two random numbers. Taking over a dead
/// owner's slab is a rename, so of several that try exactly one succeeds. Tiers of one process know
/// each other by the process number and never open each other's lock file, since closing a file
/// drops the locks that the process has on it (POSIX).
final class SlabFolder implements AutoCloseable {
  private static final String SLAB = ".slab";
  private static final String TEMPORARY = ".tmp";
  private static final String OWNER = ".owner";
  private static final String PROCESS = random();
  private static final int ATTEMPTS = 100;

  private final Path folder;
  private final Slab.Opener opener;
  private final String owner;
  private final FileChannel lock;
  private int number;

  /// What is known of a slab in the folder.
  ///
  /// @param alive whether another tier that is open owns it
  /// @param layout null where the header is damaged
  /// @param modifiedMillis when the file was last written to
  record Found(Path path, boolean alive, @Nullable SlabLayout layout, long modifiedMillis) {
    /// Bytes that the slab may grow to.
    long fileBytes() {
      return layout == null ? 0 : layout.fileBytes();
    }
  }

  /// Makes the folder where it is missing and enters it.
  ///
  /// @throws IOException one sentence that names the folder
  SlabFolder(Path folder, Slab.Opener opener) throws IOException {
    this.folder = folder;
    this.opener = opener;
    try {
      Files.createDirectories(folder);
      for (int attempt = 0; ; attempt++) {
        String candidate = PROCESS + "-" + random();
        FileChannel entered = enter(folder.resolve(candidate + OWNER));
        if (entered != null) {
          this.owner = candidate;
          this.lock = entered;
          return;
        }
        if (attempt == ATTEMPTS) {
          throw new IOException("its lock files disappear");
        }
      }
    } catch (IOException e) {
      throw new IOException(
          "cannot keep blocks in %s: %s (%s)"
              .formatted(folder, reason(e), e.getClass().getSimpleName()),
          e);
    }
  }

  /// The slabs of others, and what dead owners left is cleaned away.
  List<Found> others() throws IOException {
    Map<String, Boolean> alive = new HashMap<>();
    List<Found> found = new ArrayList<>();
    List<Path> leftovers = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        String from = ownerOf(name);
        if (from == null || from.equals(owner)) {
          continue;
        }
        boolean lives = alive.computeIfAbsent(from, this::isAlive);
        if (name.endsWith(SLAB)) {
          describe(file, lives, found);
        } else if (!lives) {
          leftovers.add(file);
        }
      }
    }
    for (Path file : leftovers) {
      Files.deleteIfExists(file);
    }
    return found;
  }

  /// Makes an empty slab of our own. It appears under its name when its header is complete.
  Slab create(SlabLayout layout) throws IOException {
    String name = owner + "-" + number++;
    Path temporary = folder.resolve(name + TEMPORARY);
    Path path = folder.resolve(name + SLAB);
    try {
      try (FileChannel out =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        writeAll(out, layout.header(), 0);
        writeAll(
            out,
            ByteBuffer.allocate((int) (layout.blockAt(0) - SlabLayout.HEADER_BYTES)),
            SlabLayout.HEADER_BYTES);
      }
      Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
      return new Slab(layout, path, opener);
    } catch (IOException e) {
      Files.deleteIfExists(temporary);
      throw e;
    }
  }

  /// Makes a dead owner's slab our own.
  ///
  /// @return null where another tier was faster
  @Nullable Slab adopt(Found found, SlabLayout layout) throws IOException {
    Path path = folder.resolve(owner + "-" + number++ + SLAB);
    try {
      Files.move(found.path(), path, StandardCopyOption.ATOMIC_MOVE);
    } catch (NoSuchFileException e) {
      return null;
    }
    return new Slab(layout, path, opener);
  }

  /// Leaves the folder; the slabs can be adopted now.
  @Override
  public void close() throws IOException {
    Files.deleteIfExists(folder.resolve(owner + OWNER));
    lock.close();
  }

  /// A lock file of our own, or null where a tier that cleans up took it for a dead one's.
  private static @Nullable FileChannel enter(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    boolean entered = false;
    try {
      FileLock lock = tryLock(channel);
      entered = lock != null && Files.exists(file);
      return entered ? channel : null;
    } finally {
      if (!entered) {
        channel.close();
      }
    }
  }

  private boolean isAlive(String other) {
    Path file = folder.resolve(other + OWNER);
    if (other.startsWith(PROCESS)) {
      return Files.exists(file);
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      if (tryLock(channel) == null) {
        return true;
      }
      Files.deleteIfExists(file);
      return false;
    } catch (NoSuchFileException e) {
      return false;
    } catch (IOException e) {
      return true; // What cannot be asked is left alone.
    }
  }

  private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // Another class loader of this process has it.
    }
  }

  private static void describe(Path file, boolean alive, List<Found> found) {
    try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer header = ByteBuffer.allocate(SlabLayout.HEADER_BYTES);
      while (header.hasRemaining() && in.read(header, header.position()) >= 0) {}
      long modified = Files.getLastModifiedTime(file).toMillis();
      found.add(new Found(file, alive, layoutOf(header.flip(), in.size()), modified));
    } catch (IOException e) {
      // It disappeared, or it cannot be read: no slab of ours either way.
    }
  }

  private static @Nullable SlabLayout layoutOf(ByteBuffer header, long size) {
    try {
      if (header.remaining() == SlabLayout.HEADER_BYTES) {
        SlabLayout layout = SlabLayout.ofHeader(header);
        return size < layout.blockAt(0) ? null : layout;
      }
      return null;
    } catch (IOException e) {
      return null;
    }
  }

  /// The owner in a file name of ours, null for any other file.
  private static @Nullable String ownerOf(String name) {
    int end = name.endsWith(OWNER) ? name.length() - OWNER.length() : name.lastIndexOf('-');
    boolean ours = name.endsWith(OWNER) || name.endsWith(SLAB) || name.endsWith(TEMPORARY);
    return ours && end == 2 * PROCESS.length() + 1 ? name.substring(0, end) : null;
  }

  private static void writeAll(FileChannel out, ByteBuffer bytes, long at) throws IOException {
    while (bytes.hasRemaining()) {
      at += out.write(bytes, at);
    }
  }

  /// A `FileSystemException` names the file first and then, where there is one, the reason.
  private static String reason(IOException e) {
    if (e instanceof java.nio.file.FileSystemException file && file.getReason() != null) {
      return file.getReason();
    }
    return String.valueOf(e.getMessage());
  }

  private static String random() {
    return "%016x".formatted(ThreadLocalRandom.current().nextLong());
  }
}
