package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.format.Bf16Format;
import io.kvasir.kvcache.format.CodePlanes;
import io.kvasir.kvcache.format.F16Format;
import io.kvasir.kvcache.format.F32Format;
import io.kvasir.kvcache.format.Fp8Format;
import io.kvasir.kvcache.format.GroupFormat;
import io.kvasir.kvcache.format.Int8Format;
import io.kvasir.kvcache.format.KiviFormat;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvarnFormat;
import io.kvasir.kvcache.format.LlamaAffineFormat;
import io.kvasir.kvcache.format.LlamaByteFormat;
import io.kvasir.kvcache.format.LlamaSignedFormat;
import io.kvasir.kvcache.format.LloydMaxFormat;
import org.jspecify.annotations.Nullable;

/// How the kernels read and write one cache format, in tiles of 16 tokens of one (layer, kv head).
///
/// A tile is unpacked into f32 numbers that stay in the L1 cache and serve all queries of a unit:
/// `[dim][16]` of keys, `[16][dim]` of values and latent rows. Scales are not multiplied into them
/// where the format has one per token and group of channels: they come out beside, `[group][16]`,
/// and are folded into the scores and the weights. Instances hold scratch memory: one per thread.
interface TileFormat {

  /// Channels of a key that share a scale; 0 where the numbers are the keys.
  default int keyGroup(int dim) {
    return 0;
  }

  /// Channels of a value that share a scale, a multiple of the vector size; 0 where the numbers are
  /// the values.
  default int valueGroup(int dim) {
    return 0;
  }

  /// Whether rows of `dim` channels can be computed on as codes, without unpacking them, with the
  /// same bits as over the unpacked numbers.
  default boolean hasProducts(int dim) {
    return false;
  }

  /// How rows are computed on in machine code, or null.
  default @Nullable MachineTiles machine() {
    return null;
  }

  /// Writes the products of few queries with up to four tiles of keys to their scores; what is
  /// behind those of fewer tiles, up to 64, is destroyed.
  default void score(TilePlace place, FewQueries queries) {
    throw new UnsupportedOperationException("codes have to be unpacked first");
  }

  /// Adds rows of up to four tiles of values, multiplied by the weights of few queries, to their
  /// sums.
  default void add(TilePlace place, FewQueries queries) {
    throw new UnsupportedOperationException("codes have to be unpacked first");
  }

  /// Unpacks the tiles of keys at a place.
  void readKeys(TilePlace place);

  /// Unpacks the tiles of values at a place.
  void readValues(TilePlace place);

  /// Unpacks the tiles of latent rows at a place, scales multiplied in.
  void readRows(TilePlace place);

  /// Encodes the row at `source[from]` into a place, with the codes of the format.
  void write(TilePlace place, float[] source, int from);

  /// The fastest way for a format.
  static TileFormat of(KvFormat format) {
    return switch (format) {
      case F32Format f -> new F32Tiles();
      case F16Format f -> new F16Tiles();
      case Bf16Format f -> new Bf16Tiles();
      case Int8Format f -> new ByteTiles(f, 0, false);
      case Fp8Format f -> new ByteTiles(f, 0, true);
      case LlamaByteFormat f -> new ByteTiles(f, CodePlanes.GROUP, false);
      case GroupFormat f when L >= 8 -> ScaledTiles.grouped(f, f.codes());
      case LlamaSignedFormat f when L >= 8 -> ScaledTiles.grouped(f, f.codes());
      case LloydMaxFormat f when L >= 8 -> ScaledTiles.levels(f);
      case KvarnFormat f when L >= 8 -> new KvarnTiles(f);
      case GroupFormat f -> generic(f);
      case LlamaSignedFormat f -> generic(f);
      case LloydMaxFormat f -> generic(f);
      case LlamaAffineFormat f -> generic(f);
      case KvarnFormat f -> generic(f);
      case KiviFormat f -> generic(f);
    };
  }

  private static TileFormat generic(KvFormat format) {
    PerformanceCliff.GENERIC_CACHE_FORMAT.report(format.name());
    return new CodecTiles(format);
  }
}
