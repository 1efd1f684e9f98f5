package io.kvasir.model.hub;

import java.io.Closeable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;

/// The part of the file system that runs full; an interface so that a test can fill it.
interface Disk {

  /// Bytes that may still be written below `folder`.
  long usableBytes(Path folder) throws IOException;

  /// Opens a file for writing at any place, creating it where it is absent.
  Writer open(Path file) throws IOException;

  /// One open file. Not an interruptible channel, so that cancelling one connection does not close
  /// the file under the others.
  interface Writer extends Closeable {

    /// Writes the first `count` bytes of `from` at `position`.
    void write(long position, byte[] from, int count) throws IOException;

    /// Waits until everything written is on the device.
    void force() throws IOException;
  }

  /// The real one.
  Disk REAL =
      new Disk() {
        @Override
        public long usableBytes(Path folder) throws IOException {
          return Files.getFileStore(folder).getUsableSpace();
        }

        @Override
        public Writer open(Path file) throws IOException {
          RandomAccessFile handle = new RandomAccessFile(file.toFile(), "rw");
          return new Writer() {
            @Override
            public void write(long position, byte[] from, int count) throws IOException {
              handle.seek(position);
              handle.write(from, 0, count);
            }

            @Override
            public void force() throws IOException {
              handle.getFD().sync();
            }

            @Override
            public void close() throws IOException {
              handle.close();
            }
          };
        }
      };
}
