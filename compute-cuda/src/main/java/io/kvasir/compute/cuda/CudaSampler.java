package io.kvasir.compute.cuda;

import io.kvasir.compute.TokenDraws;

/// Draws tokens on the device (`sampling.cu`): two launches for all rows of a step.
final class CudaSampler implements AutoCloseable {
  private static final int SLICES = 16;
  private static final int WORDS = 3;

  private final Staging staging;
  private final Launch launch;
  private final long peaks;
  private final long choose;
  private final DeviceArray choices;
  private final DeviceArray best;
  private final DeviceArray tokens;
  private long[] packed = {};

  CudaSampler(CudaContext context, CudaKernels kernels, Staging staging, Launch launch) {
    this.staging = staging;
    this.launch = launch;
    peaks = kernels.function("sample_peaks");
    choose = kernels.function("sample_choose");
    choices = new DeviceArray(context, staging, "draws of tokens");
    best = new DeviceArray(context, staging, "best scores");
    tokens = new DeviceArray(context, staging, "drawn tokens");
  }

  /// Draws and waits for the result.
  void draw(CudaBuffer scores, int rows, int columns, TokenDraws draws, int[] into) {
    if (packed.length < WORDS * rows) {
      packed = new long[WORDS * rows];
    }
    for (int r = 0; r < rows; r++) {
      packed[WORDS * r] = pair(Float.floatToRawIntBits(draws.temperature(r)), draws.topK(r));
      packed[WORDS * r + 1] =
          pair(Float.floatToRawIntBits(draws.topP(r)), Float.floatToRawIntBits(draws.minP(r)));
      packed[WORDS * r + 2] = Double.doubleToRawLongBits(draws.uniform(r));
    }
    long target = queue(scores, rows, columns, choices.of(packed, WORDS * rows));
    staging.download(target, into, rows);
  }

  private static long pair(int low, int high) {
    return (long) high << 32 | low & 0xffffffffL;
  }

  /// Queues draws whose numbers are on the device, so that a graph can hold them.
  ///
  /// @param draws device address of a `SampleChoice` for each row
  /// @return device address of the tokens, which the next call overwrites
  long queue(CudaBuffer scores, int rows, int columns, long draws) {
    long bests = best.room(8L * SLICES * rows);
    long target = tokens.room(4L * rows);
    launch
        .of(peaks)
        .pointer(scores.pointer())
        .number(scores.columns())
        .number(columns)
        .pointer(bests)
        .launch(SLICES, rows, 1, 256);
    launch
        .of(choose)
        .pointer(scores.pointer())
        .number(scores.columns())
        .number(columns)
        .pointer(bests)
        .pointer(draws)
        .pointer(target)
        .launch(rows, 1024);
    return target;
  }

  @Override
  public void close() {
    choices.close();
    best.close();
    tokens.close();
  }
}
