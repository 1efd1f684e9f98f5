package io.kvasir.compute.cuda;

import io.kvasir.compute.Tensor;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Uploads weights, each range of a file once, and keeps them in their number format where a kernel
/// decodes it; other formats are expanded to f32.
final class CudaWeights implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(CudaWeights.class.getName());

  /// Formats that `weights.cuh` decodes.
  private static final Set<TensorType> DECODED =
      EnumSet.of(
          TensorType.F32,
          TensorType.F16,
          TensorType.BF16,
          TensorType.Q8_0,
          TensorType.Q4_0,
          TensorType.Q4_1,
          TensorType.Q5_0,
          TensorType.Q5_1,
          TensorType.Q4_K,
          TensorType.Q5_K,
          TensorType.Q6_K,
          TensorType.IQ4_NL,
          TensorType.MXFP4);

  private static final int EXPAND_ELEMENTS = 1 << 20;

  /// Smaller weights share allocations, which take whole pages of 2 MiB each: a matrix of 3 MiB, of
  /// which mixtures of experts have thousands, would take 4.
  private static final long SHARING_BYTES = 16 << 20;

  private static final long FIRST_CHUNK_BYTES = 1 << 20;
  private static final long MOST_CHUNK_BYTES = 64 << 20;
  private static final long ALIGNMENT = 256;

  private final CudaContext context;
  private final Staging staging;
  private final Map<Source, Upload> uploaded = new HashMap<>();
  private final List<Long> chunks = new ArrayList<>();
  private final Set<TensorType> expanded = EnumSet.noneOf(TensorType.class);
  private @Nullable Filling filling;
  private final List<Rest> rests = new ArrayList<>();
  private long bytes;
  private long chunkBytes = FIRST_CHUNK_BYTES;

  /// Writes numbers to the device.
  @FunctionalInterface
  interface Filling {
    void fill(long pointer, long count);
  }

  /// Lets bf16 weights come from elsewhere than their tensors.
  void randomize(Filling source) {
    filling = source;
  }

  CudaWeights(CudaContext context, Staging staging) {
    this.context = context;
    this.staging = staging;
  }

  /// What tells one range of bytes from another.
  private record Source(Object owner, long address, long bytes, TensorType type) {}

  /// Where bytes went, and how long they live on the host: another model's may come to lie where
  /// they lay.
  private record Upload(long pointer, MemorySegment.Scope scope) {}

  CudaWeight upload(Tensor tensor) {
    if (tensor.rows() > Integer.MAX_VALUE || tensor.columns() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(tensor + " is too large for a matrix");
    }
    TensorType type = DECODED.contains(tensor.type()) ? tensor.type() : TensorType.F32;
    long rowBytes = type.bytes(tensor.columns());
    int rows = (int) tensor.rows();
    int columns = (int) tensor.columns();
    MemorySegment data = tensor.data();
    Object owner = data.isNative() ? "" : data.heapBase().orElse(data);
    Source source = new Source(owner, data.address(), data.byteSize(), tensor.type());
    @Nullable Upload known = uploaded.get(source);
    if (known == null || !known.scope().isAlive()) {
      long pointer =
          known == null
              ? place(rowBytes * rows, "weights of '" + tensor.name() + "'")
              : known.pointer();
      if (filling != null && type == TensorType.BF16) {
        filling.fill(pointer, (long) rows * columns);
      } else if (type == tensor.type()) {
        staging.upload(data, pointer);
      } else {
        expand(tensor, pointer);
      }
      known = new Upload(pointer, data.scope());
      uploaded.put(source, known);
    }
    return new CudaWeight(tensor.name(), type, rows, columns, known.pointer(), rowBytes);
  }

  /// What is left of a chunk.
  private static final class Rest {
    long at;
    long bytes;

    Rest(long at, long bytes) {
      this.at = at;
      this.bytes = bytes;
    }
  }

  /// Memory for some bytes: the first rest of a chunk with room for them, else a new chunk, else
  /// memory of their own.
  ///
  /// @throws CudaException where they fit nowhere
  private long place(long wanted, String purpose) {
    long aligned = (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Rest rest = rest(aligned);
    if (rest == null && aligned <= SHARING_BYTES) {
      rest = chunk(aligned);
    }
    if (rest == null) {
      return keep(context.allocate(aligned, purpose));
    }
    long place = rest.at;
    rest.at += aligned;
    rest.bytes -= aligned;
    if (rest.bytes == 0) {
      rests.remove(rest);
    }
    return place;
  }

  private @Nullable Rest rest(long wanted) {
    for (Rest rest : rests) {
      if (rest.bytes >= wanted) {
        return rest;
      }
    }
    return null;
  }

  /// A chunk with room for more than `wanted`, of less than the usual size where the device has not
  /// so much; null where it has not even twice as much as is wanted.
  private @Nullable Rest chunk(long wanted) {
    while (chunkBytes < MOST_CHUNK_BYTES && (chunkBytes < 4 * wanted || chunkBytes <= bytes)) {
      chunkBytes *= 2;
    }
    for (long size = chunkBytes; size >= 2 * wanted; size /= 2) {
      long pointer = context.tryAllocate(size);
      if (pointer != 0) {
        bytes += size;
        Rest added = new Rest(keep(pointer), size);
        rests.add(added);
        return added;
      }
    }
    return null;
  }

  private long keep(long pointer) {
    chunks.add(pointer);
    return pointer;
  }

  private void expand(Tensor tensor, long target) {
    if (expanded.add(tensor.type())) {
      LOG.log(
          System.Logger.Level.WARNING,
          "event=weights_expanded type={0} to=F32 reason=\"no GPU kernel decodes it\"",
          tensor.type());
    }
    long rows = tensor.rows();
    int columns = (int) tensor.columns();
    int chunk = Math.max(1, EXPAND_ELEMENTS / columns);
    float[] values = new float[chunk * columns];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment copy = arena.allocate(4L * values.length, 64);
      for (long row = 0; row < rows; row += chunk) {
        int count = (int) Math.min(chunk, rows - row);
        for (int i = 0; i < count; i++) {
          tensor.decodeRow(row + i, values, i * columns);
        }
        MemorySegment.copy(values, 0, copy, ValueLayout.JAVA_FLOAT, 0, count * columns);
        staging.upload(copy.asSlice(0, 4L * count * columns), target + 4L * row * columns);
      }
    }
  }

  @Override
  public void close() {
    for (long pointer : chunks) {
      context.free(pointer);
    }
    chunks.clear();
    rests.clear();
    uploaded.clear();
  }
}
