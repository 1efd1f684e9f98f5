package io.kvasir.compute;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.format.KvBasis;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Which pages a row reads, in plain scalar code that keeps nothing from step to step.
final class ReferencePages {
  private ReferencePages() {}

  /// The pages that a row's queries of a kv head read, or null for all.
  ///
  /// @param q `[rows, H * keyDim]`, as they came
  static int @Nullable [] read(
      ReferenceRows rows, float[] q, int row, int kvHead, float @Nullable [] slopes) {
    AttentionMetadata batch = rows.batch();
    AttentionSpec spec = rows.spec();
    int skipped = batch.skippedPages(spec.cacheLayer(), row);
    if (skipped == 0) {
      return null;
    }
    int position = batch.positions()[row];
    int pages = PageSkips.pages(position);
    int count = pages - PageSkips.ALWAYS;
    int group = spec.groupSize();
    float[][] queries = new float[group][];
    KvBasis basis = batch.basis(spec.cacheLayer());
    for (int r = 0; r < group; r++) {
      int from = (row * spec.heads() + kvHead * group + r) * spec.keyDim();
      queries[r] = Arrays.copyOfRange(q, from, from + spec.keyDim());
      basis.enterQuery(queries[r], 0, spec.keyDim());
    }
    float[] bounds = new float[group * count];
    BlockTable table = batch.table(batch.sequenceOfRow(row));
    float[] least = new float[spec.keyDim()];
    float[] greatest = new float[spec.keyDim()];
    for (int j = 0; j < count; j++) {
      bound(rows, table, kvHead, j + 1, least, greatest);
      for (int r = 0; r < group; r++) {
        float slope = slopes == null ? 0 : slopes[kvHead * group + r];
        float distance = slope * PageSkips.distance(position, j + 1);
        bounds[r * count + j] = product(queries[r], least, greatest) * spec.scale() - distance;
      }
    }
    int[] read = new int[pages - skipped];
    new PageChoice().choose(bounds, group, pages, skipped, read);
    return read;
  }

  private static void bound(
      ReferenceRows rows, BlockTable table, int head, int page, float[] least, float[] greatest) {
    float[] key = new float[least.length];
    Arrays.fill(least, Float.POSITIVE_INFINITY);
    Arrays.fill(greatest, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < PageSkips.PAGE; i++) {
      rows.readCodes(table, head, page * PageSkips.PAGE + i, key);
      for (int d = 0; d < key.length; d++) {
        least[d] = Math.min(least[d], key[d]);
        greatest[d] = Math.max(greatest[d], key[d]);
      }
    }
    for (int d = 0; d < key.length; d++) {
      least[d] = PageBounds.number(PageBounds.below(least[d]));
      greatest[d] = PageBounds.number(PageBounds.above(greatest[d]));
    }
  }

  /// The most that a key between the two can have as product with the query.
  private static float product(float[] query, float[] least, float[] greatest) {
    float sum = 0;
    for (int d = 0; d < query.length; d++) {
      sum = Math.fma(query[d], query[d] >= 0 ? greatest[d] : least[d], sum);
    }
    return sum;
  }
}
