package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.PrunedTokens;
import io.kvasir.kvcache.format.Bf16Format;
import io.kvasir.kvcache.format.F16Format;
import io.kvasir.kvcache.format.F32Format;
import io.kvasir.kvcache.format.Fp8Format;
import io.kvasir.kvcache.format.GroupFormat;
import io.kvasir.kvcache.format.Int8Format;
import io.kvasir.kvcache.format.KiviFormat;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvarnFormat;
import io.kvasir.kvcache.format.LlamaAffineFormat;
import io.kvasir.kvcache.format.LlamaByteFormat;
import io.kvasir.kvcache.format.LlamaSignedFormat;
import io.kvasir.kvcache.format.LloydMaxFormat;
import java.util.Arrays;
import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;

/// Attention over the paged cache on the device: stores new rows, then lets queries attend.
final class CudaAttention implements AutoCloseable {
  private static final int THREADS = 128;
  private static final int MOST_VALUE_ELEMENTS = 1024;

  private final CudaContext context;
  private final Staging staging;
  private final Launch launch;
  private final KvArguments arguments = new KvArguments();
  private final StepInputs inputs;
  private final CudaElements elements;
  private final DeviceArray prunedPlaces;
  private final DeviceArray prunedRows;
  private final IdentityHashMap<KvBasis, DeviceArray> centres = new IdentityHashMap<>();
  private final @Nullable TensorCoreAttention tensorCores;
  private final long writing;
  private final long preparing;
  private final long storing;
  private final long attending;
  private long[] places = {};
  private long[] pruned = {};

  /// @param exact whether only the kernels that sum in f32 are used
  CudaAttention(
      CudaContext context,
      CudaKernels kernels,
      Staging staging,
      Launch launch,
      StepInputs inputs,
      CudaElements elements,
      StreamedRows streamed,
      boolean exact) {
    this.elements = elements;
    tensorCores =
        exact || !kernels.has("attend_plan")
            ? null
            : new TensorCoreAttention(context, kernels, staging, launch, inputs, streamed);
    this.context = context;
    this.staging = staging;
    this.launch = launch;
    this.inputs = inputs;
    prunedPlaces = new DeviceArray(context, staging, "places of kept rows");
    prunedRows = new DeviceArray(context, staging, "kept rows");
    writing = kernels.has("kv_write") ? kernels.function("kv_write") : 0;
    preparing =
        tensorCores != null && kernels.has("kv_prepare") ? kernels.function("kv_prepare") : 0;
    storing = kernels.function("kv_store");
    attending = kernels.function("kv_attend");
  }

  /// The buffers of one call, as device addresses; 0 for those that are not there.
  record Operands(long q, long k, long v, long out) {}

  void attend(AttentionMetadata batch, AttentionSpec spec, Operands operands) {
    if (spec.valueDim() > MOST_VALUE_ELEMENTS) {
      throw new IllegalArgumentException(
          "value rows of %d elements are too long for the GPU kernels, which take %d"
              .formatted(spec.valueDim(), MOST_VALUE_ELEMENTS));
    }
    CudaKvStorage storage = (CudaKvStorage) batch.storage();
    KvLayout layout = batch.layout();
    KvBasis basis = batch.basis(spec.cacheLayer());
    LayerGroup codes = layout.groupOf(spec.cacheLayer());
    StepTables tables = inputs.tables(batch);
    long centre = centres(basis, spec);
    arguments.setKv(storage, layout, spec, tables, basis, centre);
    TensorCoreAttention.Call call =
        new TensorCoreAttention.Call(
            batch, spec, tables, storage, centre, operands.q(), operands.out());
    boolean prepared = prepare(call, operands);
    if (!prepared && operands.k() != 0) {
      store(batch, spec, storage, tables.rows(), operands);
    }
    if (tensorCores != null && tensorCores.attend(call, prepared)) {
      return;
    }
    arguments.setAttend(
        spec,
        layout.kv(spec.cacheLayer()),
        operands.q(),
        operands.out(),
        pruned(batch, spec, codes));
    launch
        .of(attending)
        .structure(arguments.attend())
        .shared(4 * Math.max(spec.keyDim(), spec.valueDim()))
        .launch(tables.rows(), spec.heads(), 1, THREADS);
  }

  /// Turns queries and keys and writes the cache in one launch, where turns of both wait and the
  /// kernels know the formats and sizes; else the turns are queued.
  private boolean prepare(TensorCoreAttention.Call call, Operands operands) {
    AttentionSpec spec = call.spec();
    int dim = spec.keyDim();
    boolean known =
        operands.v() != 0
            && dim == spec.valueDim()
            && (dim == 64 || dim == 128 || dim == 256)
            && isCommon(call.batch().layout().kv(spec.cacheLayer()), spec);
    CudaElements.Turn turn =
        known && preparing != 0
            ? elements.takeTurns(operands.q(), operands.k(), call.batch().positions(), dim)
            : null;
    if (turn == null || tensorCores == null) {
      elements.flush();
      return false;
    }
    launch
        .of(preparing)
        .structure(arguments.kv())
        .pointer(operands.q())
        .pointer(operands.k())
        .pointer(operands.v())
        .pointer(tensorCores.turnedQueries(call))
        .pointer(tensorCores.centreProducts(call))
        .pointer(elements.frequencies(turn.rope().table()))
        .real(turn.rope().table().magnitude())
        .number(turn.rope().interleaved() ? 1 : 0)
        .number(0);
    tensorCores
        .begins(call)
        .launch((call.tables().rows() * (spec.heads() + 2 * spec.kvHeads()) + 3) / 4, THREADS);
    return true;
  }

  private void store(
      AttentionMetadata batch,
      AttentionSpec spec,
      CudaKvStorage storage,
      int rows,
      Operands operands) {
    LayerKv kv = batch.layout().kv(spec.cacheLayer());
    boolean tilesKeys = TileEncoder.tilesKeys(kv);
    boolean tilesValues = TileEncoder.tilesValues(kv);
    int skipped = (tilesKeys ? 1 : 0) | (tilesValues ? 2 : 0);
    int sides = operands.v() == 0 ? 1 : 2;
    boolean common = writing != 0 && isCommon(kv, spec);
    launch
        .of(common ? writing : storing)
        .structure(arguments.kv())
        .pointer(operands.k())
        .pointer(operands.v())
        .number(skipped);
    if (common) {
      launch.launch((rows * spec.kvHeads() + 3) / 4, sides, 1, THREADS);
    } else {
      launch
          .shared(8 * Math.max(spec.keyDim(), spec.valueDim()))
          .launch(rows, spec.kvHeads(), sides, THREADS);
    }
    if (tilesKeys || tilesValues) {
      inputs.hostTakesPart();
      TileEncoder.encode(batch, spec, storage);
    }
  }

  /// Whether `kv_write.cu` knows the formats and sizes.
  private static boolean isCommon(LayerKv kv, AttentionSpec spec) {
    return isCommon(kv.keyFormat(), spec.keyDim())
        && (kv.valueDim() == 0 || isCommon(kv.valueFormat(), spec.valueDim()));
  }

  private static boolean isCommon(KvFormat format, int dim) {
    boolean size = dim == 64 || dim == 96 || dim == 128 || dim == 256;
    return size
        && switch (format) {
          case F16Format f -> true;
          case Bf16Format f -> true;
          case Int8Format f -> true;
          case Fp8Format f -> true;
          case GroupFormat f -> f.bits() == 4;
          case F32Format f -> false;
          case LloydMaxFormat f -> false;
          case LlamaByteFormat f -> false;
          case LlamaSignedFormat f -> false;
          case LlamaAffineFormat f -> false;
          case KiviFormat f -> false;
          case KvarnFormat f -> false;
        };
  }

  private long centres(KvBasis basis, AttentionSpec spec) {
    if (!basis.isCentred()) {
      return 0;
    }
    DeviceArray known = centres.get(basis);
    if (known == null) {
      known = new DeviceArray(context, staging, "centres of keys");
      float[] values = new float[spec.kvHeads() * spec.keyDim()];
      for (int i = 0; i < values.length; i++) {
        values[i] = basis.centre(i / spec.keyDim(), i % spec.keyDim());
      }
      known.of(values, values.length);
      centres.put(basis, known);
    }
    return known.room(0);
  }

  /// Sends what was kept of pruned sequences; see `AttendView` in `kv.cuh`.
  private KvArguments.Pruned pruned(AttentionMetadata batch, AttentionSpec spec, LayerGroup codes) {
    if (!codes.isFull() || !anyPruned(batch)) {
      return KvArguments.Pruned.NONE;
    }
    int heads = spec.kvHeads();
    int wanted = batch.sequences() * heads;
    if (places.length < wanted) {
      places = new long[wanted];
    }
    int size = 0;
    for (int s = 0; s < batch.sequences(); s++) {
      PrunedTokens tokens = batch.table(s).pruned();
      for (int head = 0; head < heads; head++) {
        places[s * heads + head] = tokens == null ? -1 : size;
        size = tokens == null ? size : append(batch, spec.cacheLayer(), tokens, head, size);
      }
    }
    return new KvArguments.Pruned(prunedPlaces.of(places, wanted), prunedRows.of(pruned, size));
  }

  private static boolean anyPruned(AttentionMetadata batch) {
    for (int s = 0; s < batch.sequences(); s++) {
      if (batch.table(s).pruned() != null) {
        return true;
      }
    }
    return false;
  }

  private int append(AttentionMetadata batch, int layer, PrunedTokens tokens, int head, int from) {
    int count = tokens.count(layer, head);
    int blockTokens = batch.layout().blockTokens();
    int pages = (count + blockTokens - 1) / blockTokens;
    int at = from;
    if (pruned.length < at + 2 + count + 2 * pages) {
      pruned = Arrays.copyOf(pruned, 2 * (at + 2 + count + 2 * pages));
    }
    pruned[at++] = tokens.tokens();
    pruned[at++] = count;
    for (int i = 0; i < count; i++) {
      pruned[at++] = tokens.position(layer, head, i);
    }
    for (int page = 0; page < pages; page++) {
      long block = tokens.block(layer, head, page) * batch.storage().blockBytes();
      pruned[at++] = block + tokens.keyOffset(layer, head, page);
      pruned[at++] = block + tokens.valueOffset(layer, head, page);
    }
    return at;
  }

  @Override
  public void close() {
    arguments.close();
    if (tensorCores != null) {
      tensorCores.close();
    }
    prunedPlaces.close();
    prunedRows.close();
    for (DeviceArray array : centres.values()) {
      array.close();
    }
  }
}
