package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.CodePlanes;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.LloydMaxFormat;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Formats of 2 to 6 bits with a scale for each token, or for each token and group of 32 channels:
/// integers around zero, or levels of a table. The scales are folded into scores and weights.
final class ScaledTiles implements TileFormat {
  private static final int TILE = KvLayout.TILE_TOKENS;
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private final KvFormat format;
  private final CodePlanes codes;
  private final CodeUnpacker unpacker;
  private final int group;
  private final int @Nullable [] levels;
  private float[] rowScales = {};

  private ScaledTiles(
      KvFormat format, CodePlanes codes, int zero, int group, int @Nullable [] levels) {
    this.format = format;
    this.codes = codes;
    this.group = group;
    this.levels = levels;
    unpacker = new CodeUnpacker(codes, zero);
  }

  /// Integers with a scale for each group.
  static ScaledTiles grouped(KvFormat format, CodePlanes codes) {
    return new ScaledTiles(format, codes, 1 << codes.bits() - 1, CodePlanes.GROUP, null);
  }

  /// Levels with a factor for each row.
  static ScaledTiles levels(LloydMaxFormat format) {
    int[] levels = new int[16];
    for (int code = 0; code < 1 << format.bits(); code++) {
      levels[code] = Float.floatToRawIntBits(format.level(code));
    }
    return new ScaledTiles(format, format.codes(), 0, 0, levels);
  }

  private int group(int dim) {
    return group == 0 ? dim : group;
  }

  /// Where four bits have a scale for each group, multiplying while unpacking costs nothing.
  private boolean isWhole(int dim) {
    return group != 0 && unpacker.scales(dim);
  }

  @Override
  public int keyGroup(int dim) {
    return isWhole(dim) ? 0 : group(dim);
  }

  @Override
  public int valueGroup(int dim) {
    return keyGroup(dim);
  }

  /// Room for the scales of two tiles.
  private float[] ownScales(int dim) {
    int size = 2 * TILE * ((dim + group - 1) / group);
    if (rowScales.length < size) {
      rowScales = new float[size];
    }
    return rowScales;
  }

  @Override
  public void readKeys(TilePlace place) {
    if (isWhole(place.dim)) {
      float[] scales = ownScales(place.dim);
      readScales(place, scales, 0);
      unpacker.scaledKeys(place, scales);
      return;
    }
    readScales(place, place.scales, place.scaleAt);
    unpacker.keys(place);
    look(place, place.tiles * TILE * place.dim);
  }

  @Override
  public void readValues(TilePlace place) {
    if (isWhole(place.dim)) {
      float[] scales = ownScales(place.dim);
      readScales(place, scales, 0);
      unpacker.scaledValues(place, scales);
      return;
    }
    readScales(place, place.scales, place.scaleAt);
    unpacker.values(place);
    look(place, place.tiles * TILE * place.dim);
  }

  @Override
  public void readRows(TilePlace place) {
    int size = group(place.dim);
    int groups = (place.dim + size - 1) / size;
    if (rowScales.length < groups * TILE) {
      rowScales = new float[groups * TILE];
    }
    float[] scales = rowScales;
    readScales(place, scales, 0);
    unpacker.values(place);
    look(place, TILE * place.dim);
    for (int t = 0; t < TILE; t++) {
      int to = place.at + t * place.dim;
      for (int c = 0; c < place.dim; c++) {
        place.numbers[to + c] *= scales[c / size * TILE + t];
      }
    }
  }

  private void readScales(TilePlace place, float[] scales, int scaleAt) {
    int size = group(place.dim);
    int groups = (place.dim + size - 1) / size;
    long from = place.plane + codes.bytes(place.blockTokens, place.dim) + 2L * place.slot * groups;
    BlockDecoders.finiteF16(place.memory, from, scales, scaleAt, place.tiles * groups * TILE);
  }

  /// Puts levels in the place of codes; a table of 16 is one vector or two.
  private void look(TilePlace place, int count) {
    int[] table = levels;
    if (table == null) {
      return;
    }
    float[] numbers = place.numbers;
    IntVector first = IntVector.fromArray(I, table, 0);
    IntVector second = IntVector.fromArray(I, table, 16 - L);
    for (int i = place.at; i < place.at + count; i += L) {
      IntVector code =
          (IntVector) FloatVector.fromArray(F, numbers, i).convert(VectorOperators.F2I, 0);
      VectorMask<Integer> upper = code.compare(VectorOperators.GE, L);
      IntVector level = code.and(L - 1).selectFrom(first);
      level = level.blend(code.and(L - 1).selectFrom(second), upper);
      level.reinterpretAsFloats().intoArray(numbers, i);
    }
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    format.encode(source, from, place.toPlane(), place.slot);
  }
}
