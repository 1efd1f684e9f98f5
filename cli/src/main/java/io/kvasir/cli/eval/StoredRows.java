package io.kvasir.cli.eval;

import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.format.KvBasis;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvPlane;
import io.kvasir.kvcache.format.PlaneKind;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/// One head's rows as a cache gives them back: encoded and decoded by the scalar codecs, in and out
/// of the layer's basis. Which of them are read exactly depends on who asks.
final class StoredRows {
  private final LayerKv kv;
  private final List<float[]> coded;
  private final List<float[]> exact;

  private StoredRows(LayerKv kv, List<float[]> coded, List<float[]> exact) {
    this.kv = kv;
    this.coded = coded;
    this.exact = exact;
  }

  /// The keys of a head.
  static StoredRows keys(LayerKv kv, KvBasis basis, int head, List<float[]> rows, int blockTokens) {
    int dim = kv.keyDim();
    Basis turn =
        new Basis() {
          @Override
          public void enter(float[] x) {
            basis.enterKeys(x, 0, dim, head);
          }

          @Override
          public void leave(float[] x) {
            for (int i = 0; i < dim && basis.isCentred(); i++) {
              x[i] += basis.centre(head, i);
            }
            // The rotation is its own inverse.
            basis.enterQuery(x, 0, dim);
          }
        };
    return of(kv, kv.keyFormat(), kv.keyKind(), turn, slices(rows, head, dim), blockTokens);
  }

  /// The values of a head, where the layer has rows of them.
  static StoredRows values(
      LayerKv kv, KvBasis basis, int head, List<float[]> rows, int blockTokens) {
    int dim = kv.valueDim();
    Basis turn =
        new Basis() {
          @Override
          public void enter(float[] x) {
            basis.turnValues(x, 0, dim);
          }

          @Override
          public void leave(float[] x) {
            basis.turnValues(x, 0, dim);
          }
        };
    return of(kv, kv.valueFormat(), PlaneKind.VALUES, turn, slices(rows, head, dim), blockTokens);
  }

  /// The row that a query at `position` reads.
  float[] read(int row, int position) {
    boolean isExact =
        !kv.exact().isNone() && (row < kv.exact().sinks() || row >= kv.exact().exactFrom(position));
    return isExact ? exact.get(row) : coded.get(row);
  }

  private interface Basis {
    void enter(float[] x);

    void leave(float[] x);
  }

  private static List<float[]> slices(List<float[]> rows, int head, int dim) {
    List<float[]> slices = new ArrayList<>(rows.size());
    for (float[] row : rows) {
      float[] slice = new float[dim];
      System.arraycopy(row, head * dim, slice, 0, dim);
      slices.add(slice);
    }
    return slices;
  }

  private static StoredRows of(
      LayerKv kv,
      KvFormat format,
      PlaneKind kind,
      Basis basis,
      List<float[]> rows,
      int blockTokens) {
    rows.forEach(basis::enter);
    List<float[]> exact =
        kv.exact().isNone() ? rows : through(KvFormat.F16, kind, rows, blockTokens);
    // Rows that are encoded together are taken from their exact copies.
    List<float[]> source = format.tileTokens(kind) > 1 ? exact : rows;
    List<float[]> coded = through(format, kind, source, blockTokens);
    coded.forEach(basis::leave);
    if (!kv.exact().isNone()) {
      exact.forEach(basis::leave);
    }
    return new StoredRows(kv, coded, exact);
  }

  /// Encodes and decodes; rows of a tile that is not full stay as they are.
  private static List<float[]> through(
      KvFormat format, PlaneKind kind, List<float[]> rows, int blockTokens) {
    int dim = rows.getFirst().length;
    int tile = format.tileTokens(kind);
    List<float[]> result = new ArrayList<>(rows.size());
    for (int start = 0; start < rows.size(); start += blockTokens) {
      int count = Math.min(blockTokens, rows.size() - start);
      try (Arena arena = Arena.ofConfined()) {
        KvPlane plane =
            new KvPlane(
                arena.allocate(format.planeBytes(blockTokens, dim, kind), 64),
                0,
                blockTokens,
                dim,
                kind);
        int whole = count / tile * tile;
        for (int slot = 0; slot < whole; slot += tile) {
          float[] source = new float[tile * dim];
          for (int i = 0; i < tile; i++) {
            System.arraycopy(rows.get(start + slot + i), 0, source, i * dim, dim);
          }
          format.encode(source, 0, plane, slot);
        }
        for (int slot = 0; slot < count; slot++) {
          float[] row = rows.get(start + slot).clone();
          if (slot < whole) {
            format.decode(plane, slot, row, 0);
          }
          result.add(row);
        }
      }
    }
    return result;
  }
}
