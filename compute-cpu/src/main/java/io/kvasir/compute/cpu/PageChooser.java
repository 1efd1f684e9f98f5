package io.kvasir.compute.cpu;

import io.kvasir.compute.AttentionMetadata;
import io.kvasir.compute.PageSkips;

/// Chooses the pages that rows read which leave some out: keeps the bounds of whole pages up to
/// date, then rates the pages of each unit.
///
/// Bytes moved per unit: four for each channel and page, of the half of the bounds that the signs
/// of a query ask for, once for each of its query heads.
final class PageChooser {
  private final KernelPool pool;
  private final PageKernel[] kernels;
  private final KernelPool.Region bounding = this::boundPages;
  private final KernelPool.Region choosing = this::chooseUnit;
  private AttentionCall current = new AttentionCall();
  private AttentionUnit[] units = new AttentionUnit[0];
  private int[] knownPages = {};

  PageChooser(KernelPool pool) {
    this.pool = pool;
    kernels = new PageKernel[pool.threads()];
    for (int i = 0; i < kernels.length; i++) {
      kernels[i] = new PageKernel();
    }
  }

  /// Fills in the pages of the units that leave some out.
  void choose(AttentionCall call, AttentionUnit[] all, int count) {
    boolean any = false;
    for (int u = 0; u < count && !any; u++) {
      any = all[u].pageCount > 0;
    }
    if (!any) {
      return;
    }
    current = call;
    units = all;
    if (grow(call)) {
      pool.run(bounding, call.batch().sequences() * call.spec().kvHeads());
    }
    pool.run(choosing, count);
  }

  /// Makes room for the bounds of pages that became whole. @return whether there are any
  private boolean grow(AttentionCall call) {
    AttentionMetadata batch = call.batch();
    if (knownPages.length < batch.sequences()) {
      knownPages = new int[2 * batch.sequences()];
    }
    boolean any = false;
    for (int s = 0; s < batch.sequences(); s++) {
      PageSkips skips = batch.skips(s);
      int last = skips == null ? -1 : lastThatSkips(call, s);
      if (skips == null || last < 0) {
        knownPages[s] = Integer.MAX_VALUE;
        continue;
      }
      int layer = call.spec().cacheLayer();
      knownPages[s] = skips.known(layer);
      // The last row's own page and the one before are read in any case.
      int whole = PageSkips.pages(batch.positions()[last]) - 2;
      if (whole > knownPages[s]) {
        skips.know(layer, whole);
        any = true;
      }
    }
    return any;
  }

  /// The last row of a sequence that leaves out pages, or -1.
  private static int lastThatSkips(AttentionCall call, int sequence) {
    int first = call.batch().firstRow(sequence);
    int row = first + call.batch().rowCount(sequence) - 1;
    while (row >= first && call.skipped(row) == 0) {
      row--;
    }
    return row < first ? -1 : row;
  }

  private void boundPages(int part, int worker) {
    int heads = current.spec().kvHeads();
    int sequence = part / heads;
    PageSkips skips = current.batch().skips(sequence);
    int pages = skips == null ? 0 : skips.known(current.spec().cacheLayer());
    if (knownPages[sequence] < pages) {
      kernels[worker].bound(current, sequence, part % heads, knownPages[sequence], pages);
    }
  }

  private void chooseUnit(int part, int worker) {
    AttentionUnit unit = units[part];
    if (unit.pageCount > 0) {
      kernels[worker].choose(current, unit);
    }
  }
}
