package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.AttentionSpec;
import io.kvasir.compute.PageBounds;
import io.kvasir.compute.PageChoice;
import io.kvasir.compute.PageSkips;
import io.kvasir.kvcache.KvLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// Bounds what the keys of a page can score, and chooses pages by it; see [PageSkips].
///
/// ```
/// least[i] = min k[j, i]    greatest[i] = max k[j, i]              j in the page, keys as stored
/// b = scale * sum over i, ascending, of q[i] * (q[i] >= 0 ? greatest[i] : least[i])
///     - slope * distance of the page's last row                                      f32, fused
/// ```
///
/// One instance per thread; arrays grow and stay.
final class PageKernel {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final int CHUNK = PageBounds.CHUNK;

  private final KvTiles tiles = new KvTiles();
  private final PageChoice choice = new PageChoice();
  private float[] numbers = {};
  private float[] scales = {};
  private float[] products = {};
  private float[] bounds = {};

  /// Writes the bounds of the pages from `from` on.
  void bound(AttentionCall call, int sequence, int head, PageBounds target, int from) {
    int dim = call.spec().keyDim();
    if (numbers.length < TILE * dim) {
      numbers = new float[TILE * dim];
      scales = new float[TILE * dim];
    }
    float[] into = target.ofHead(head);
    tiles.openCodes(call, sequence, head);
    for (int page = from; page < target.pages(); page++) {
      for (int i = 0; i < dim; i++) {
        into[target.at(page, i)] = Float.POSITIVE_INFINITY;
        into[target.at(page, i) + CHUNK] = Float.NEGATIVE_INFINITY;
      }
      for (int t = 0; t < PageSkips.PAGE; t += TILE) {
        int group = tiles.readKeys(page * PageSkips.PAGE + t, 1, numbers, scales);
        addTile(dim, group, into, target.at(page, 0));
      }
    }
  }

  /// Widens the bounds of a page, whose first channel stands at `at`, by a tile of keys.
  private void addTile(int dim, int group, float[] into, int at) {
    for (int i = 0; i < dim; i++) {
      float least = into[at + i * 2 * CHUNK];
      float greatest = into[at + i * 2 * CHUNK + CHUNK];
      for (int t = 0; t < TILE; t += L) {
        FloatVector keys = FloatVector.fromArray(F, numbers, i * TILE + t);
        if (group > 0) {
          keys = keys.mul(FloatVector.fromArray(F, scales, i / group * TILE + t));
        }
        least = Math.min(least, keys.reduceLanes(VectorOperators.MIN));
        greatest = Math.max(greatest, keys.reduceLanes(VectorOperators.MAX));
      }
      into[at + i * 2 * CHUNK] = least;
      into[at + i * 2 * CHUNK + CHUNK] = greatest;
    }
  }

  /// Fills in the pages that a unit of one row reads.
  void choose(AttentionCall call, AttentionUnit unit, PageBounds known) {
    AttentionSpec spec = call.spec();
    int pages = PageSkips.pages(call.batch().positions()[unit.firstRow]);
    int count = pages - 3;
    int group = spec.groupSize();
    int room = (pages + CHUNK - 1) / CHUNK * CHUNK;
    if (products.length < room) {
      products = new float[2 * room];
    }
    if (bounds.length < group * count) {
      bounds = new float[2 * group * count];
    }
    if (unit.pages.length < unit.pageCount) {
      unit.pages = new int[2 * unit.pageCount];
    }
    float[] of = known.ofHead(unit.head);
    for (int r = 0; r < group; r++) {
      int queryAt = call.queryAt(unit.firstRow, unit.head, r);
      for (int page = 0; page < count + 1; page += CHUNK) {
        multiply(call.queries(), queryAt, spec.keyDim(), of, known.at(page, 0), page);
      }
      int position = call.batch().positions()[unit.firstRow];
      float slope = call.slope(unit.head, r);
      for (int j = 0; j < count; j++) {
        float distance = slope * PageSkips.distance(position, j + 1);
        bounds[r * count + j] = products[j + 1] * spec.scale() - distance;
      }
    }
    choice.choose(bounds, group, pages, pages - unit.pageCount, unit.pages);
  }

  /// `products[page ... page + 15]` of a query with the bounds of a chunk, which begin at `from`.
  private void multiply(float[] queries, int queryAt, int dim, float[] of, int from, int page) {
    Arrays.fill(products, page, page + CHUNK, 0f);
    for (int t = 0; t < CHUNK; t += L) {
      FloatVector sum = FloatVector.zero(F);
      for (int i = 0; i < dim; i++) {
        float q = queries[queryAt + i];
        int half = q >= 0 ? CHUNK : 0;
        FloatVector edge = FloatVector.fromArray(F, of, from + i * 2 * CHUNK + half + t);
        sum = edge.fma(FloatVector.broadcast(F, q), sum);
      }
      sum.intoArray(products, page + t);
    }
  }
}
