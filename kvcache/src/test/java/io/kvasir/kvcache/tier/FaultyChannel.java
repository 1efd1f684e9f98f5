package io.kvasir.kvcache.tier;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.atomic.AtomicBoolean;

/// A file on a device that stops working when told to.
final class FaultyChannel extends FileChannel {
  private final FileChannel to;
  private final AtomicBoolean broken;

  FaultyChannel(FileChannel to, AtomicBoolean broken) {
    this.to = to;
    this.broken = broken;
  }

  private FileChannel working() throws IOException {
    if (broken.get()) {
      throw new IOException("Input/output error");
    }
    return to;
  }

  @Override
  public int read(ByteBuffer dst, long position) throws IOException {
    return working().read(dst, position);
  }

  @Override
  public int write(ByteBuffer src, long position) throws IOException {
    return working().write(src, position);
  }

  @Override
  public long size() throws IOException {
    return working().size();
  }

  @Override
  protected void implCloseChannel() throws IOException {
    to.close();
  }

  @Override
  public int read(ByteBuffer dst) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long read(ByteBuffer[] dsts, int offset, int length) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int write(ByteBuffer src) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long write(ByteBuffer[] srcs, int offset, int length) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long position() {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileChannel position(long newPosition) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileChannel truncate(long size) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void force(boolean metaData) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long transferTo(long position, long count, WritableByteChannel target) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long transferFrom(ReadableByteChannel src, long position, long count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public MappedByteBuffer map(MapMode mode, long position, long size) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileLock lock(long position, long size, boolean shared) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileLock tryLock(long position, long size, boolean shared) {
    throw new UnsupportedOperationException();
  }
}
