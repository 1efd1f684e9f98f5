package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.PageBounds;
import io.kvasir.compute.PageChoice;
import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.KvLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Bounds what the keys of a page can score, and chooses pages by it; see [PageSkips].
///
/// ```
/// least[i] = below(min k[j, i])    greatest[i] = above(max k[j, i])      j in the page, in bf16
/// b = scale * sum over i, ascending, of q[i] * (q[i] >= 0 ? greatest[i] : least[i])
///     - slope * distance of the page's last row                                      f32, fused
/// ```
///
/// One instance per thread; arrays grow and stay.
final class PageKernel {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int CHUNK = PageBounds.CHUNK;
  private static final VectorSpecies<Integer> I = F.withLanes(int.class);
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final KvTiles tiles = new KvTiles();
  private final PageChoice choice = new PageChoice();
  private float[] numbers = {};
  private float[] scales = {};
  private final float[] products = new float[Math.max(CHUNK, L)];
  private float[] bounds = {};
  private MemorySegment memory = MemorySegment.NULL;

  /// Where the bounds of the open chunk begin.
  private long unit;

  /// Writes the bounds of the pages `from .. to - 1`.
  void bound(AttentionCall call, int sequence, int head, int from, int to) {
    int dim = call.spec().keyDim();
    if (numbers.length < TILE * dim) {
      numbers = new float[TILE * dim];
      scales = new float[TILE * dim];
    }
    tiles.openCodes(call, sequence, head);
    for (int page = from; page < to; page++) {
      open(call, sequence, head, page / CHUNK);
      int group = tiles.readKeys(page * PageSkips.PAGE, 1, numbers, scales);
      addPage(dim, group, unit + page % CHUNK * 2L);
    }
  }

  /// Finds the bounds of a chunk of pages of a head.
  private void open(AttentionCall call, int sequence, int head, int chunk) {
    PageBounds bounds = call.batch().pageBounds();
    int layer = call.spec().cacheLayer();
    int block = bounds.block(call.batch().table(sequence), layer, head, chunk);
    memory = call.storage().segment(block);
    unit = call.storage().offset(block) + bounds.offset(layer, head, chunk);
  }

  /// Writes the bounds of a page, whose first channel stands at `at`, from its keys.
  private void addPage(int dim, int group, long at) {
    for (int i = 0; i < dim; i++) {
      float least = Float.POSITIVE_INFINITY;
      float greatest = Float.NEGATIVE_INFINITY;
      for (int t = 0; t < TILE; t += L) {
        FloatVector keys = FloatVector.fromArray(F, numbers, i * TILE + t);
        if (group > 0) {
          keys = keys.mul(FloatVector.fromArray(F, scales, i / group * TILE + t));
        }
        least = Math.min(least, keys.reduceLanes(VectorOperators.MIN));
        greatest = Math.max(greatest, keys.reduceLanes(VectorOperators.MAX));
      }
      long channel = at + (long) i * PageBounds.CHANNEL_BYTES;
      memory.set(SHORT, channel, PageBounds.below(least));
      memory.set(SHORT, channel + PageBounds.EDGE_BYTES, PageBounds.above(greatest));
    }
  }

  /// Fills in the pages that a unit of one row reads.
  void choose(AttentionCall call, AttentionUnit unit) {
    AttentionSpec spec = call.spec();
    int pages = PageSkips.pages(call.batch().positions()[unit.firstRow]);
    int count = pages - 3;
    int group = spec.groupSize();
    if (bounds.length < group * count) {
      bounds = new float[2 * group * count];
    }
    if (unit.pages.length < unit.pageCount) {
      unit.pages = new int[2 * unit.pageCount];
    }
    int position = call.batch().positions()[unit.firstRow];
    for (int page = 0; page < count + 1; page += CHUNK) {
      open(call, unit.sequence, unit.head, page / CHUNK);
      for (int r = 0; r < group; r++) {
        multiply(call.queries(), call.queryAt(unit.firstRow, unit.head, r), spec.keyDim());
        float slope = call.slope(unit.head, r);
        int end = Math.min(page + CHUNK, count + 1);
        for (int at = Math.max(1, page); at < end; at++) {
          float distance = slope * PageSkips.distance(position, at);
          bounds[r * count + at - 1] = products[at - page] * spec.scale() - distance;
        }
      }
    }
    choice.choose(bounds, group, pages, pages - unit.pageCount, unit.pages);
  }

  /// `products[0 .. 15]` of a query with the bounds of the open chunk.
  private void multiply(float[] queries, int queryAt, int dim) {
    for (int t = 0; t < CHUNK; t += L) {
      FloatVector sum = FloatVector.zero(F);
      for (int i = 0; i < dim; i++) {
        float q = queries[queryAt + i];
        long half = q >= 0 ? PageBounds.EDGE_BYTES : 0;
        long at = unit + (long) i * PageBounds.CHANNEL_BYTES + half + 2L * t;
        FloatVector edge =
            ((IntVector)
                    ShortVector.fromMemorySegment(S, memory, at, ByteOrder.LITTLE_ENDIAN)
                        .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0))
                .lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats();
        sum = edge.fma(FloatVector.broadcast(F, q), sum);
      }
      sum.intoArray(products, t);
    }
  }
}
