package io.kvasir.compute.cuda;

import java.util.Arrays;

/// Numbers of the host on the device. An array that holds what it held last is not sent again:
/// positions are the same for all layers of a pass.
final class DeviceArray implements AutoCloseable {
  private final CudaContext context;
  private final Staging staging;
  private final String purpose;
  private long pointer;
  private long capacityBytes;
  private int[] sent = {};
  private int sentCount = -1;

  DeviceArray(CudaContext context, Staging staging, String purpose) {
    this.context = context;
    this.staging = staging;
    this.purpose = purpose;
  }

  /// The device address of a copy of the first `count` numbers.
  long of(int[] values, int count) {
    if (count == sentCount && Arrays.equals(values, 0, count, sent, 0, count)) {
      return pointer;
    }
    room(4L * count);
    if (sent.length < count) {
      sent = new int[Math.max(count, 2 * sent.length)];
    }
    System.arraycopy(values, 0, sent, 0, count);
    sentCount = count;
    staging.upload(values, 0, count, pointer);
    return pointer;
  }

  /// The same for numbers that are always others.
  long send(int[] values, int count) {
    room(4L * count);
    staging.upload(values, 0, count, pointer);
    return pointer;
  }

  long of(float[] values, int count) {
    room(4L * count);
    staging.upload(values, 0, count, pointer);
    return pointer;
  }

  long of(long[] values, int count) {
    room(8L * count);
    staging.upload(values, 0, count, pointer);
    return pointer;
  }

  /// Device memory of at least so many bytes, whose contents are anything.
  long room(long bytes) {
    if (bytes > capacityBytes) {
      long grown = Math.max(bytes, Math.max(2 * capacityBytes, 4096));
      if (pointer != 0) {
        // What is queued may still read the old one.
        context.synchronize(context.computeStream());
        context.free(pointer);
        pointer = 0;
        capacityBytes = 0;
      }
      sentCount = -1;
      context.moved();
      pointer = context.allocate(grown, purpose);
      capacityBytes = grown;
    }
    return pointer;
  }

  @Override
  public void close() {
    if (pointer != 0) {
      context.free(pointer);
      pointer = 0;
    }
  }
}
