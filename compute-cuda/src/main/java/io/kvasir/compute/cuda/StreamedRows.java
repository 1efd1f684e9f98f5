package io.kvasir.compute.cuda;

import io.kvasir.compute.cuda.CudaProducts.Rows;
import io.kvasir.compute.quant.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Products of 9 to 256 rows with bf16 weights, which stream past (`gemm_stream.cu`): up to three
/// at a time, or gate and up with their activation. Rows go there as an image in 16-bit numbers; a
/// norm, an addition before it and an activation write it on their way.
final class StreamedRows implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(StreamedRows.class.getName());

  /// Most rows.
  static final int MOST = 256;

  private static final int[] SIZES = {16, 32, 64, 128, 256};
  private static final int[] PIECES = {2, 2, 2, 1, 1};
  private static final int[] CLUSTERS = {1, 1, 1, 2, 2};
  private static final int STEP = 64;
  private static final int OUTPUTS = 128;
  private static final int THREADS = 288;
  private static final int CALL_BYTES = 576;

  private final CudaContext context;
  private final Launch launch;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment call = arena.allocate(CALL_BYTES, 64);
  private final MemorySegment parts = call.asSlice(FewRows.PARTS * TensorMaps.BYTES);
  private final TensorMaps[] maps = new TensorMaps[SIZES.length];
  private final CudaKernels.@Nullable Sized[] kernels = new CudaKernels.Sized[SIZES.length];
  private final long[] imaging = new long[SIZES.length];
  private final long[] norming = new long[SIZES.length];
  private final DeviceArray image;
  private final DeviceArray inner;
  private final DeviceArray partial;
  private final DeviceArray counters;
  private int counted;
  private @Nullable Imaged imaged;
  private long imagedAt = -1;
  private boolean used;
  private boolean tried;
  private boolean mapped;

  StreamedRows(CudaContext context, CudaKernels all, Staging staging, Launch launch) {
    this.context = context;
    this.launch = launch;
    TensorMaps wide = new TensorMaps(context, true);
    Arrays.fill(maps, wide);
    // The largest is held back by what its blocks of threads bring in, not by memory.
    maps[SIZES.length - 1] = new TensorMaps(context, false);
    for (int i = 0; i < SIZES.length; i++) {
      kernels[i] = all.find("gemm_stream_" + SIZES[i]);
      if (kernels[i] != null) {
        imaging[i] = all.function("gemm_stream_image_" + SIZES[i]);
        norming[i] = all.function("gemm_stream_norm_" + SIZES[i]);
      }
    }
    image = new DeviceArray(context, staging, "inputs of products");
    inner = new DeviceArray(context, staging, "inputs of products");
    partial = new DeviceArray(context, staging, "parts of products");
    counters = new DeviceArray(context, staging, "counters of products");
  }

  /// What the image holds as long as nothing but products was launched since.
  private record Imaged(long pointer, int rows, int columns) {}

  /// How an activation is computed: `x sigmoid(x (linear + cubic x x))`.
  record Gate(float linear, float cubic) {}

  boolean takes(CudaWeight weight, int rows) {
    return kernels[0] != null
        && rows > FewRows.MOST
        && rows <= MOST
        && weight.type() == TensorType.BF16
        && weight.columns() % STEP == 0
        && weight.pointer() % 16 == 0
        && weight.rowBytes() % 16 == 0
        && mapsAreMade();
  }

  /// Whether the driver makes tensor maps, without which other kernels compute these products; says
  /// once that it does not.
  private boolean mapsAreMade() {
    if (!tried) {
      int refusal = maps[0].refusal(counters.room(TensorMaps.TRIAL_BYTES));
      tried = true;
      mapped = refusal == 0;
      if (!mapped) {
        LOG.log(
            System.Logger.Level.WARNING,
            "event=tensor_maps_refused result={0} reason=\"products of 9 to 256 rows go to slower"
                + " kernels\"",
            context.driver().nameOf(refusal));
      }
    }
    return mapped;
  }

  /// Whether it can compute a gated network with these weights, each of which it takes.
  static boolean takesGates(CudaWeight gate, CudaWeight up) {
    return TensorMaps.joins(gate, up);
  }

  /// Whether products here are what other launches of so many rows stand between.
  boolean surrounds(int rows) {
    return used && rows > FewRows.MOST && rows <= MOST;
  }

  /// Whether norms of so many rows had better write an image: products here are what followed some.
  boolean wantsNorm(int rows, int columns) {
    return surrounds(rows) && columns % STEP == 0;
  }

  private static int size(int rows) {
    int size = 0;
    while (SIZES[size] < rows) {
      size++;
    }
    return size;
  }

  private long imageRoom(DeviceArray array, int size, int columns) {
    return array.room(2L * SIZES[size] * PIECES[size] * columns);
  }

  /// The norm of rows, to which `factor delta` is added before where `delta` is not 0.
  void normalize(RowNorm norm, long delta, float factor) {
    int size = size(norm.rows());
    int columns = norm.in().columns();
    launch
        .of(norming[size])
        .pointer(norm.in().pointer())
        .pointer(delta)
        .real(factor)
        .pointer(norm.weight())
        .real(norm.norm().epsilon())
        .number(columns)
        .pointer(norm.out().pointer())
        .pointer(imageRoom(image, size, columns))
        .besideShared()
        .launch(norm.rows(), 512);
    became(norm.out().pointer(), norm.rows(), columns);
  }

  private void became(long pointer, int rows, int columns) {
    imaged = new Imaged(pointer, rows, columns);
    imagedAt = launch.changes();
  }

  /// Products of the same rows, which [Product#joins] says can be computed together.
  void multiply(List<Product> products, Rows in, int rows) {
    int columns = products.get(0).weight().columns();
    long from = imageOf(in, rows, columns);
    int tiles = 0;
    boolean keeps = true;
    for (Product product : products) {
      tiles += (product.weight().rows() + OUTPUTS - 1) / OUTPUTS;
      keeps &= product.out().pointer() != in.pointer();
    }
    launch(products, from, rows, tiles, null);
    if (keeps) {
      became(in.pointer(), rows, columns);
    }
  }

  /// The image of rows, made where it is not there from the launch before.
  private long imageOf(Rows in, int rows, int columns) {
    int size = size(rows);
    long at = imageRoom(image, size, columns);
    if (imagedAt != launch.changes() || !new Imaged(in.pointer(), rows, columns).equals(imaged)) {
      launch
          .of(imaging[size])
          .pointer(in.pointer())
          .number(in.stride())
          .number(columns)
          .pointer(at)
          .besideShared()
          .launch(rows, 256);
    }
    return at;
  }

  /// A whole gated network; what is between stays an image.
  void feedForward(List<Product> gateAndUp, Gate gate, Product down, Rows in, int rows) {
    int size = size(rows);
    int columns = gateAndUp.get(0).weight().columns();
    long from = imageOf(in, rows, columns);
    int outputs = gateAndUp.get(0).weight().rows();
    launch(gateAndUp, from, rows, (outputs + STEP - 1) / STEP, gate);
    int tiles = (down.weight().rows() + OUTPUTS - 1) / OUTPUTS;
    launch(List.of(down), imageRoom(inner, size, outputs), rows, tiles, null);
  }

  private void launch(
      List<Product> products, long from, int rows, int ownTiles, @Nullable Gate gate) {
    int size = size(rows);
    CudaKernels.Sized kernel = kernels[size];
    if (kernel == null) {
      throw new IllegalStateException("there is no product of " + rows + " rows");
    }
    used = true;
    int blocks = context.multiprocessors() & -2;
    int tiles = (ownTiles + CLUSTERS[size] - 1) / CLUSTERS[size] * CLUSTERS[size];
    CudaWeight weight = products.get(0).weight();
    call.fill((byte) 0);
    putMaps(products, maps[size], gate != null);
    FewRows.putParts(parts, products);
    long[] pointers = {
      weight.rowBytes(),
      from,
      gate == null ? 0 : imageRoom(inner, size, weight.rows()),
      partial.room(4L * blocks * 2 * OUTPUTS * MOST),
      counters(tiles)
    };
    int[] numbers = {
      weight.columns(),
      rows,
      tiles,
      splits((ownTiles + 1) & -2, weight.columns() / STEP, blocks),
      gate == null ? 0 : upIsFirst(products) ? 2 : 1,
      Float.floatToRawIntBits(gate == null ? 0 : gate.linear()),
      Float.floatToRawIntBits(gate == null ? 0 : gate.cubic())
    };
    long at = FewRows.PARTS * FewRows.PART_BYTES;
    MemorySegment.copy(pointers, 0, parts, ValueLayout.JAVA_LONG, at, pointers.length);
    at += 8L * pointers.length;
    MemorySegment.copy(numbers, 0, parts, ValueLayout.JAVA_INT, at, numbers.length);
    launch
        .of(kernel.function())
        .structure(call)
        .shared(kernel.sharedBytes())
        .early()
        .launch(blocks, THREADS);
  }

  private static boolean upIsFirst(List<Product> gateAndUp) {
    return gateAndUp.get(1).weight().pointer() < gateAndUp.get(0).weight().pointer();
  }

  private void putMaps(List<Product> products, TensorMaps maps, boolean gates) {
    if (gates) {
      putMap(0, maps.of(products.get(0).weight(), products.get(1).weight()));
      return;
    }
    for (int i = 0; i < products.size(); i++) {
      putMap(i, maps.of(products.get(i).weight()));
    }
  }

  private void putMap(int index, MemorySegment map) {
    MemorySegment.copy(map, 0, call, (long) index * TensorMaps.BYTES, TensorMaps.BYTES);
  }

  /// Parts of a tile's columns; 0 for runs of equal length. What was fastest for the shapes of an
  /// 8B model: four or two where they have a multiprocessor each, whole tiles by turns where there
  /// are few for each, else equal runs. By the shape of the weights alone, as a row's bits depend
  /// on it.
  private static int splits(int tiles, int steps, int blocks) {
    for (int splits = 4; splits > 1; splits /= 2) {
      if (steps % splits == 0 && splits * tiles <= blocks) {
        return splits;
      }
    }
    return tiles > blocks && tiles <= 4 * blocks ? 1 : 0;
  }

  /// Two zeros for each tile, which kernels leave as zeros.
  private long counters(int tiles) {
    if (tiles > counted) {
      int wanted = Math.max(4096, 2 * tiles);
      long bytes = 8L * wanted;
      context.clear(counters.room(bytes), bytes, context.computeStream());
      counted = wanted;
    }
    return counters.room(0);
  }

  @Override
  public void close() {
    maps[0].close();
    maps[SIZES.length - 1].close();
    arena.close();
    for (DeviceArray array : new DeviceArray[] {image, inner, partial, counters}) {
      array.close();
    }
  }
}
