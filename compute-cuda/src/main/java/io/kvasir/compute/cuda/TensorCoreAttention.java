package io.kvasir.compute.cuda;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.AttentionSpec;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerGroup;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Attention on the tensor cores, for the head sizes and formats that `attention_*.cu` has: rows
/// that decode by runs of positions, rows of prompts in blocks of 128; see docs/cuda.md.
///
/// Runs have a fixed length, so a decoding row's bits do not depend on its company, unless it
/// shares blocks with others: runs of what [SharedRuns] finds are cut to fill the device, so sums
/// are of other parts.
final class TensorCoreAttention implements AutoCloseable {
  /// Positions of a run of rows below 2048.
  private static final int RUN_TOKENS = 256;

  /// Rows of a sequence from which on it is a prompt.
  private static final int PROMPT_ROWS = 16;

  private static final int NEVER = 1 << 30;
  private static final int MOST_GRID = 65535;
  private static final int ITEM_BYTES = 32;
  private static final int EXPANSION_BYTES = 16;
  private static final int COUNTS = 6;
  private static final int LISTS = 3;

  private static final int PLAN_BYTES = 144;
  private static final int PREFILL_BYTES = 160;

  private static final LayerGroup.Role[] EXACT = {LayerGroup.Role.TAIL, LayerGroup.Role.SINKS};

  private final CudaKernels kernels;
  private final Launch launch;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment plan = arena.allocate(PLAN_BYTES, 8);
  private final SharedArguments sharing = new SharedArguments(arena);
  private final MemorySegment prefill = arena.allocate(PREFILL_BYTES, 8);
  private final Map<String, CudaKernels.@Nullable Sized> found = new HashMap<>();
  private final Map<Integer, RunLists> plans = new HashMap<>();
  private final CudaContext context;
  private final Staging staging;
  private final StepInputs inputs;
  private final StreamedRows streamed;
  private final DeviceArray turned;
  private final DeviceArray centre;
  private final DeviceArray acc;
  private final DeviceArray ml;
  private final DeviceArray tiles;

  TensorCoreAttention(
      CudaContext context,
      CudaKernels kernels,
      Staging staging,
      Launch launch,
      StepInputs inputs,
      StreamedRows streamed) {
    this.inputs = inputs;
    this.streamed = streamed;
    this.context = context;
    this.kernels = kernels;
    this.staging = staging;
    this.launch = launch;
    turned = new DeviceArray(context, staging, "turned queries");
    centre = new DeviceArray(context, staging, "products with centres");
    acc = new DeviceArray(context, staging, "partial results of attention");
    ml = new DeviceArray(context, staging, "partial results of attention");
    tiles = new DeviceArray(context, staging, "tiles of prompts");
  }

  /// The kernels of one call.
  ///
  /// @param exact of the f16 copies
  private record Choice(
      CudaKernels.Sized codes,
      CudaKernels.@Nullable Sized exact,
      CudaKernels.@Nullable Sized promptCodes,
      CudaKernels.@Nullable Sized promptExact,
      CudaKernels.@Nullable Sized shared,
      boolean coded) {}

  /// What is computed where; device addresses.
  ///
  /// @param centres rotated, 0 for none
  record Call(
      AttentionMetadata batch,
      AttentionSpec spec,
      StepTables tables,
      CudaKvStorage storage,
      long centres,
      long q,
      long out) {}

  /// Attends, unless the layer or the batch is of a kind that these kernels do not know.
  ///
  /// @param turned whether queries are in the layer's basis already, where these methods say
  /// @return whether it did
  boolean attend(Call call, boolean turned) {
    Choice choice = choose(call);
    if (choice == null) {
      return false;
    }
    AttentionSpec spec = call.spec();
    KvLayout layout = call.batch().layout();
    int sharedItems = sharedItems(call);
    if (layout.groupOf(spec.cacheLayer()).isFull()) {
      inputs.allowSharing(choice.shared() == null ? 0 : spec.groupSize());
    }
    if (sharedItems > 0 && choice.shared() == null) {
      return false; // another model's layers allowed it
    }
    boolean prompts = choice.promptCodes() != null && spec.slopes() == null;
    RunLists lists = lists(layout, spec.cacheLayer(), prompts, choice.coded());
    if (lists.isOf(call.batch(), inputs)) {
      if (lists.capacity > MOST_GRID) {
        return false;
      }
    } else {
      lists.become(call.batch(), inputs, sharedItems);
      if (!inputs.isRecorded()) {
        measure(lists, call, prompts);
      }
      if (lists.capacity > MOST_GRID) {
        return false;
      }
      plan(lists, call, prompts, choice.coded());
    }
    long q = turned && needsTurn(call) ? this.turned.room(0) : queries(call);
    long middle = call.centres() == 0 ? 0 : centre.room(0);
    run(lists, call, choice, q, middle);
    merge(lists, call);
    return true;
  }

  /// Items of what the rows of a call share in the layer.
  private static int sharedItems(Call call) {
    LayerGroup codes = call.batch().layout().groupOf(call.spec().cacheLayer());
    return call.tables().sharedTo(codes.index()) == 0 ? 0 : call.tables().sharedItems();
  }

  /// Most runs of a row in all of its lists. A list's runs are of the same length, but that its
  /// first may be up to 31 positions shorter and its last as short as it comes.
  ///
  /// @param skipped positions of codes that are read for several rows at once
  static int mostRuns(int position, int skipped) {
    int doublings =
        (position >= 2048 ? 1 : 0) + (position >= 4096 ? 1 : 0) + (position >= 16384 ? 1 : 0);
    int tokens = RUN_TOKENS << doublings;
    return (position - skipped) / tokens + 2 + LISTS;
  }

  /// The lists of all layers whose codes and exact copies are in the same groups and are read
  /// alike: layers that share a group of codes may have their copies, which are larger, in
  /// different ones, and may have other formats.
  private RunLists lists(KvLayout layout, int layer, boolean prompts, boolean coded) {
    int key = layout.groupOf(layer).index();
    for (LayerGroup.Role role : EXACT) {
      LayerGroup group = layout.exactGroup(layer, role);
      key = key << 10 | (group == null ? 0 : group.index() + 1);
    }
    key = key << 2 | (prompts ? 2 : 0) | (coded ? 1 : 0);
    RunLists lists = plans.get(key);
    if (lists == null) {
      lists = new RunLists(new DeviceArray(context, staging, "lists of runs"));
      plans.put(key, lists);
    }
    return lists;
  }

  private @Nullable Choice choose(Call call) {
    AttentionSpec spec = call.spec();
    KvLayout layout = call.batch().layout();
    LayerKv kv = layout.kv(spec.cacheLayer());
    int dim = spec.keyDim();
    if (kv.keyKind() != PlaneKind.KEYS
        || spec.valueDim() != dim
        || layout.blockTokens() % 32 != 0
        || call.storage().blockBytes() % 16 != 0) {
      return null;
    }
    for (int s = 0; s < call.batch().sequences(); s++) {
      if (call.batch().table(s).pruned() != null) {
        return null;
      }
    }
    String keys = kv.keyFormat().name();
    String values = kv.valueFormat().name();
    String formats = keys.equals(values) ? keys : keys + "_" + values;
    CudaKernels.Sized codes = kernel("attend_decode_" + formats + "_" + dim);
    CudaKernels.Sized exact = kernel("attend_decode_f16_" + dim);
    if (codes == null || !kv.exact().isNone() && exact == null) {
      return null;
    }
    boolean coded = number(keys) > 1;
    String kind = keys.equals("bf16") ? "bf16_" : "f16_";
    return new Choice(
        codes,
        exact,
        kernel("attend_prefill_" + kind + dim),
        kernel("attend_prefill_f16_" + dim),
        kernel("attend_shared_" + formats + "_" + dim),
        coded);
  }

  private CudaKernels.@Nullable Sized kernel(String name) {
    if (!found.containsKey(name)) {
      found.put(name, kernels.find(name));
    }
    return found.get(name);
  }

  /// Upper bounds of the lists.
  private static void measure(RunLists lists, Call call, boolean prompts) {
    AttentionMetadata batch = call.batch();
    ExactRows rule = batch.layout().kv(call.spec().cacheLayer()).exact();
    int passes = 1 + (rule.hasTail() ? 1 : 0) + (rule.sinks() > 0 ? 1 : 0);
    SharedRuns shared = call.tables().shared();
    long capacity = 0;
    long slots = lists.sharedItems == 0 ? 0 : shared.slots();
    lists.decodes = false;
    for (int s = 0; s < batch.sequences(); s++) {
      int rows = batch.rowCount(s);
      int last = batch.positions()[batch.firstRow(s) + rows - 1];
      if (prompts && rows >= PROMPT_ROWS) {
        lists.prompts += rows / 128 + 2;
        lists.promptTiles += (last + 16) / 16;
        slots += (long) rows * passes;
      } else {
        long runs = 0;
        int skipped = lists.sharedItems == 0 ? 0 : shared.skipped(batch.firstRow(s));
        for (int r = 0; r < rows; r++) {
          runs += mostRuns(last - r, skipped);
        }
        capacity += runs;
        slots += runs;
        lists.decodes = true;
      }
    }
    lists.capacity = (int) Math.min(Integer.MAX_VALUE, capacity);
    lists.slots = (int) Math.min(Integer.MAX_VALUE, slots);
  }

  private void plan(RunLists lists, Call call, boolean prompts, boolean coded) {
    AttentionMetadata batch = call.batch();
    KvLayout layout = batch.layout();
    int layer = call.spec().cacheLayer();
    LayerGroup codes = layout.groupOf(layer);
    ExactRows exact = layout.kv(layer).exact();
    LayerGroup tail = layout.exactGroup(layer, LayerGroup.Role.TAIL);
    LayerGroup sinks = layout.exactGroup(layer, LayerGroup.Role.SINKS);
    int rows = call.tables().rows();
    long listBytes = (long) ITEM_BYTES * Math.max(1, lists.capacity);
    long at =
        lists.memory.room(
            3 * listBytes
                + (long) ITEM_BYTES * (lists.prompts + 1)
                + (long) EXPANSION_BYTES * (rows + 1)
                + 4L * (COUNTS + rows + 1)
                + 64);
    lists.codes = at;
    lists.tail = at + listBytes;
    lists.sinks = at + 2 * listBytes;
    lists.prefills = at + 3 * listBytes;
    lists.expansions = lists.prefills + (long) ITEM_BYTES * (lists.prompts + 1);
    lists.counts = lists.expansions + (long) EXPANSION_BYTES * (rows + 1);
    lists.firstSlot = lists.counts + 4L * COUNTS;
    StepTables tables = call.tables();
    long[] pointers = {
      tables.positions(),
      tables.sequenceOfRow(),
      tables.starts(codes.index()),
      tail == null ? 0 : tables.starts(tail.index()),
      sinks == null ? 0 : tables.starts(sinks.index()),
      lists.codes,
      lists.tail,
      lists.sinks,
      lists.prefills,
      lists.expansions,
      lists.counts,
      lists.firstSlot,
      lists.sharedItems == 0 ? 0 : tables.sharedTo(codes.index()),
      lists.sharedItems == 0 ? 0 : tables.sharedTo(codes.index()) + 4L * rows
    };
    int[] numbers = {
      rows,
      codes.window(),
      exact.sinks(),
      exact.tail(),
      RUN_TOKENS,
      prompts ? PROMPT_ROWS : NEVER,
      coded ? 1 : 0
    };
    fill(plan, pointers, numbers);
    launch.of(kernels.function("attend_plan")).structure(plan).launch(1, 256);
  }

  static void fill(MemorySegment target, long[] pointers, int[] numbers) {
    MemorySegment.copy(pointers, 0, target, ValueLayout.JAVA_LONG, 0, pointers.length);
    MemorySegment.copy(
        numbers, 0, target, ValueLayout.JAVA_INT, 8L * pointers.length, numbers.length);
  }

  private static boolean needsTurn(Call call) {
    return call.batch().basis(call.spec().cacheLayer()).keyRotation() > 1 || call.centres() != 0;
  }

  /// Where queries go in the layer's basis; 0 where that is what they are.
  long turnedQueries(Call call) {
    AttentionSpec spec = call.spec();
    long size = 4L * call.tables().rows() * spec.heads() * spec.keyDim();
    return needsTurn(call) ? turned.room(size) : 0;
  }

  /// Where their products with the centre go.
  long centreProducts(Call call) {
    return needsTurn(call) ? centre.room(4L * call.tables().rows() * call.spec().heads()) : 0;
  }

  /// The queries in the layer's basis.
  private long queries(Call call) {
    if (!needsTurn(call)) {
      return call.q();
    }
    AttentionSpec spec = call.spec();
    KvBasis basis = call.batch().basis(spec.cacheLayer());
    int rows = call.tables().rows();
    long into = turned.room(4L * rows * spec.heads() * spec.keyDim());
    launch
        .of(kernels.function("attend_query"))
        .pointer(call.q())
        .pointer(into)
        .pointer(call.centres())
        .pointer(centre.room(4L * rows * spec.heads()))
        .number(spec.heads())
        .number(spec.kvHeads())
        .number(spec.keyDim())
        .number(basis.keyRotation())
        .launch(rows, Math.min(32 * spec.heads(), 1024));
    return into;
  }

  private void run(RunLists lists, Call call, Choice choice, long q, long middle) {
    AttentionSpec spec = call.spec();
    KvLayout layout = call.batch().layout();
    int layer = spec.cacheLayer();
    LayerGroup codes = layout.groupOf(layer);
    LayerGroup tail = layout.exactGroup(layer, LayerGroup.Role.TAIL);
    LayerGroup sinks = layout.exactGroup(layer, LayerGroup.Role.SINKS);
    acc.room(4L * lists.slots * spec.heads() * spec.valueDim());
    ml.room(8L * lists.slots * spec.heads());
    KvPlace place = KvPlace.of(call, codes);
    if (lists.sharedItems > 0 && choice.shared() != null) {
      launch
          .of(choice.shared().function())
          .structure(
              sharing.of(
                  call,
                  place,
                  new SharedArguments.Operands(
                      q, middle, acc.room(0), ml.room(0), lists.firstSlot)))
          .shared(choice.shared().sharedBytes());
      follows(call).launch(SharedArguments.blocks(call), lists.sharedItems, 1, 128);
    }
    if (lists.decodes) {
      decode(lists, call, choice.codes(), place, new Runs(lists.codes, 0), q, middle);
      if (tail != null && choice.exact() != null) {
        KvPlace exact = KvPlace.of(call, tail);
        decode(lists, call, choice.exact(), exact, new Runs(lists.tail, 1), q, middle);
      }
      if (sinks != null && choice.exact() != null) {
        KvPlace exact = KvPlace.of(call, sinks);
        decode(lists, call, choice.exact(), exact, new Runs(lists.sinks, 2), q, middle);
      }
    }
    if (lists.prompts == 0 || choice.promptCodes() == null) {
      return;
    }
    if (choice.coded()) {
      place = expand(lists, call, place, layout.kv(layer));
    }
    prefill(lists, call, choice.promptCodes(), place, new Pass(1, 0), q, middle);
    if (tail != null && choice.promptExact() != null) {
      KvPlace exact = KvPlace.of(call, tail);
      prefill(lists, call, choice.promptExact(), exact, new Pass(2, 1), q, middle);
    }
    if (sinks != null && choice.promptExact() != null) {
      KvPlace exact = KvPlace.of(call, sinks);
      int pass = tail == null ? 1 : 2;
      prefill(lists, call, choice.promptExact(), exact, new Pass(3, pass), q, middle);
    }
  }

  /// Lets the launch of a layer that writes its rows begin while the product before still runs.
  Launch begins(Call call) {
    return streamed.surrounds(call.tables().rows()) ? launch.besideShared() : launch.early();
  }

  /// The same for launches behind it, where the products around share the multiprocessors with
  /// them. Products of few rows read weights through the first-level cache, of which decoding
  /// leaves little: they must find the multiprocessors empty, and these launches end first.
  private Launch follows(Call call) {
    return streamed.surrounds(call.tables().rows()) ? launch.besideShared() : launch;
  }

  /// A list of runs and its counter's number.
  private record Runs(long list, int counter) {}

  private void decode(
      RunLists lists,
      Call call,
      CudaKernels.Sized kernel,
      KvPlace place,
      Runs runs,
      long q,
      long middle) {
    AttentionSpec spec = call.spec();
    launch
        .of(kernel.function())
        .pointer(q)
        .pointer(middle)
        .pointer(spec.slopes() == null ? 0 : CudaBuffer.of(spec.slopes()).pointer())
        .pointer(call.tables().positions())
        .pointer(place.pool())
        .pointer(place.blockBytes())
        .pointer(place.keyOffset())
        .pointer(place.headBytes())
        .pointer(place.valueOffset())
        .pointer(place.tables())
        .pointer(runs.list())
        .pointer(lists.counts + 4L * runs.counter())
        .pointer(acc.room(0))
        .pointer(ml.room(0))
        .real(spec.scale())
        .real(spec.softcap())
        .number(place.tilesPerBlock())
        .number(spec.heads())
        .number(spec.kvHeads())
        .shared(kernel.sharedBytes());
    follows(call).launch(spec.kvHeads() * ((spec.groupSize() + 7) / 8), lists.capacity, 1, 128);
  }

  /// Coded tiles of prompts as f16 rows, and where they are then.
  private KvPlace expand(RunLists lists, Call call, KvPlace place, LayerKv kv) {
    AttentionSpec spec = call.spec();
    int dim = spec.keyDim();
    long scratch = tiles.room(64L * dim * spec.kvHeads() * lists.promptTiles);
    launch
        .of(kernels.function("attend_expand"))
        .pointer(lists.expansions)
        .pointer(lists.counts)
        .pointer(place.pool())
        .pointer(place.blockBytes())
        .pointer(place.keyOffset())
        .pointer(place.headBytes())
        .pointer(place.valueOffset())
        .pointer(place.tables())
        .number(place.tilesPerBlock())
        .number(number(kv.keyFormat().name()))
        .number(number(kv.valueFormat().name()))
        .number(dim)
        .pointer(scratch)
        .launch(spec.kvHeads(), lists.promptTiles, 1, 256);
    return new KvPlace(scratch, 64L * dim * spec.kvHeads(), 0, 64L * dim, 32L * dim, 0, 1);
  }

  /// The format's number in `attention_mma.cuh`.
  private static int number(String format) {
    return switch (format) {
      case "bf16" -> 0;
      case "f16" -> 1;
      case "int8" -> 2;
      case "fp8" -> 3;
      default -> 4;
    };
  }

  /// Which rows a pass over a prompt reads, and its place among the partial results.
  private record Pass(int mode, int number) {}

  private void prefill(
      RunLists lists,
      Call call,
      CudaKernels.Sized kernel,
      KvPlace place,
      Pass pass,
      long q,
      long middle) {
    AttentionSpec spec = call.spec();
    LayerKv kv = call.batch().layout().kv(spec.cacheLayer());
    long[] pointers = {
      q,
      middle,
      0,
      place.pool(),
      place.blockBytes(),
      place.keyOffset(),
      place.headBytes(),
      place.valueOffset(),
      place.tables(),
      lists.prefills,
      lists.counts + 4L * 3,
      lists.firstSlot,
      acc.room(0),
      ml.room(0)
    };
    int[] numbers = {
      Float.floatToRawIntBits(spec.scale()),
      Float.floatToRawIntBits(spec.softcap()),
      place.tilesPerBlock(),
      spec.heads(),
      spec.kvHeads(),
      kv.window(),
      pass.mode(),
      kv.exact().tail(),
      kv.exact().sinks(),
      pass.number()
    };
    fill(prefill, pointers, numbers);
    launch
        .of(kernel.function())
        .structure(prefill.asSlice(0, 8L * pointers.length + 4L * numbers.length))
        .shared(kernel.sharedBytes())
        .launch(spec.heads(), lists.prompts, 1, 384);
  }

  private void merge(RunLists lists, Call call) {
    AttentionSpec spec = call.spec();
    launch
        .of(kernels.function("attend_merge"))
        .pointer(acc.room(0))
        .pointer(ml.room(0))
        .pointer(lists.firstSlot)
        .pointer(spec.sinks() == null ? 0 : CudaBuffer.of(spec.sinks()).pointer())
        .pointer(call.out())
        .number(0)
        .number(call.batch().basis(spec.cacheLayer()).valueRotation());
    follows(call).launch(spec.heads(), call.tables().rows(), 1, spec.valueDim());
  }

  @Override
  public void close() {
    arena.close();
    for (RunLists lists : plans.values()) {
      lists.memory.close();
    }
    for (DeviceArray array : new DeviceArray[] {turned, centre, acc, ml, tiles}) {
      array.close();
    }
  }
}
