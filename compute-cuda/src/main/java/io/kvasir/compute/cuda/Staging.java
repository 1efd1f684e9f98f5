package io.kvasir.compute.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;

/// Pinned memory through which numbers of the Java heap go to the device and back.
///
/// Uploads are queued on the compute stream from a ring, so the caller goes on at once; when the
/// ring is full it waits for the stream. Downloads wait. Used by the thread that computes.
final class Staging implements AutoCloseable {
  private static final int RING_BYTES = 8 << 20;
  private static final int READ_BYTES = 4 << 20;

  /// Weights come from files in memory, whose pages the threads that touch them first map.
  private static final int FILLING_THREADS = 4;

  private static final int LEAST_SLICE_BYTES = 1 << 18;

  /// Stands for a thread that is not the caller.
  private static final Thread ANY_OTHER = Thread.ofPlatform().unstarted(() -> {});

  private final CudaContext context;
  private final long[] sent = new long[2];
  private final MemorySegment ring;
  private final MemorySegment back;
  private int at;
  private long transfers;
  private long waitedNanos;

  Staging(CudaContext context) {
    this.context = context;
    ring = context.pinned(RING_BYTES);
    try {
      back = context.pinned(READ_BYTES);
    } catch (CudaException e) {
      context.releasePinned(ring);
      throw e;
    }
    try {
      sent[0] = context.event();
      sent[1] = context.event();
    } catch (CudaException e) {
      close();
      throw e;
    }
  }

  /// Queues a copy of `values[from .. from + count - 1]` to the device.
  void upload(float[] values, int from, int count, long target) {
    for (int done = 0; done < count; ) {
      int part = Math.min(count - done, RING_BYTES / 8);
      int place = take(4 * part);
      MemorySegment.copy(values, from + done, ring, ValueLayout.JAVA_FLOAT, place, part);
      send(place, 4L * part, target + 4L * done);
      done += part;
    }
  }

  void upload(int[] values, int from, int count, long target) {
    for (int done = 0; done < count; ) {
      int part = Math.min(count - done, RING_BYTES / 8);
      int place = take(4 * part);
      MemorySegment.copy(values, from + done, ring, ValueLayout.JAVA_INT, place, part);
      send(place, 4L * part, target + 4L * done);
      done += part;
    }
  }

  void upload(long[] values, int from, int count, long target) {
    for (int done = 0; done < count; ) {
      int part = Math.min(count - done, RING_BYTES / 16);
      int place = take(8 * part);
      MemorySegment.copy(values, from + done, ring, ValueLayout.JAVA_LONG, place, part);
      send(place, 8L * part, target + 8L * done);
      done += part;
    }
  }

  private int take(int bytes) {
    int aligned = bytes + 63 & -64;
    if (at + aligned > RING_BYTES) {
      await();
      at = 0;
    }
    int place = at;
    at += aligned;
    return place;
  }

  private void send(int place, long bytes, long target) {
    transfers++;
    context.toDevice(target, ring.address() + place, bytes, context.computeStream());
  }

  private void await() {
    transfers++;
    long start = System.nanoTime();
    context.synchronize(context.computeStream());
    waitedNanos += System.nanoTime() - start;
  }

  /// Notes something that only the host can do.
  void note() {
    transfers++;
  }

  /// Copies and other things that the host took part in so far.
  long transfers() {
    return transfers;
  }

  /// Nanoseconds of waiting so far.
  long waitedNanos() {
    return waitedNanos;
  }

  /// Waits for all that is queued and copies `count` numbers from the device.
  void download(long source, float[] target, int offset, int count) {
    for (int done = 0; done < count; ) {
      int part = Math.min(count - done, READ_BYTES / 4);
      context.toHost(back, source + 4L * done, 4L * part, context.computeStream());
      await();
      MemorySegment.copy(back, ValueLayout.JAVA_FLOAT, 0, target, offset + done, part);
      done += part;
    }
  }

  void download(long source, int[] target, int count) {
    for (int done = 0; done < count; ) {
      int part = Math.min(count - done, READ_BYTES / 4);
      context.toHost(back, source + 4L * done, 4L * part, context.computeStream());
      await();
      MemorySegment.copy(back, ValueLayout.JAVA_INT, 0, target, done, part);
      done += part;
    }
  }

  /// Copies memory of any kind to the device: one half of the ring is filled, by several threads,
  /// while the other is on its way. Done when this returns.
  void upload(MemorySegment from, long target) {
    long bytes = from.byteSize();
    int half = RING_BYTES / 2;
    await();
    at = 0;
    int side = 0;
    for (long done = 0; done < bytes; done += half) {
      int part = (int) Math.min(bytes - done, half);
      if (done >= RING_BYTES) {
        context.await(sent[side]);
      }
      fill(from, done, side * half, part);
      send(side * half, part, target + done);
      context.record(sent[side], context.computeStream());
      side = 1 - side;
    }
    await();
  }

  private void fill(MemorySegment from, long offset, int place, int bytes) {
    int slice = bytes / FILLING_THREADS & -64;
    if (slice < LEAST_SLICE_BYTES || !from.isAccessibleBy(ANY_OTHER)) {
      MemorySegment.copy(from, offset, ring, place, bytes);
      return;
    }
    CompletableFuture<?>[] others = new CompletableFuture<?>[FILLING_THREADS - 1];
    for (int i = 0; i < others.length; i++) {
      int at = i * slice;
      others[i] =
          CompletableFuture.runAsync(
              () -> MemorySegment.copy(from, offset + at, ring, place + at, slice));
    }
    int rest = others.length * slice;
    MemorySegment.copy(from, offset + rest, ring, place + rest, bytes - rest);
    CompletableFuture.allOf(others).join();
  }

  @Override
  public void close() {
    context.releasePinned(ring);
    context.releasePinned(back);
    for (long event : sent) {
      if (event != 0) {
        context.destroyEvent(event);
      }
    }
  }
}
