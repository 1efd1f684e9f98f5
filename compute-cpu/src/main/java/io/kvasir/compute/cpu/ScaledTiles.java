package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.x86.TileCodes;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.CodePlanes;
import io.kvasir.kvcache.format.GroupFormat;
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
  private final GroupEncoder encoder = new GroupEncoder();
  private final int group;

  /// Bits of the number that each code stands for, where they are 4 or fewer.
  private final int[] levels;

  /// Whether numbers have to be looked up.
  private final boolean hasTable;

  private final @Nullable MachineTiles machine;
  private float[] rowScales = {};

  private ScaledTiles(KvFormat format, CodePlanes codes, int group, int[] levels) {
    this.format = format;
    this.codes = codes;
    this.group = group;
    this.levels = levels;
    hasTable = group == 0;
    int shared = group == 0 ? MachineTiles.WHOLE : group;
    machine = codes.bits() == 4 ? new MachineTiles(TileCodes.Kind.NIBBLES, shared, levels) : null;
    unpacker = new CodeUnpacker(codes, hasTable ? 0 : zero(codes));
  }

  private static int zero(CodePlanes codes) {
    return 1 << codes.bits() - 1;
  }

  /// Integers with a scale for each group.
  static ScaledTiles grouped(KvFormat format, CodePlanes codes) {
    int[] levels = new int[16];
    for (int code = 0; code < 16; code++) {
      levels[code] = Float.floatToRawIntBits(code - zero(codes));
    }
    return new ScaledTiles(format, codes, CodePlanes.GROUP, levels);
  }

  /// Levels with a factor for each row.
  static ScaledTiles levels(LloydMaxFormat format) {
    int[] levels = new int[16];
    for (int code = 0; code < 1 << format.bits(); code++) {
      levels[code] = Float.floatToRawIntBits(format.level(code));
    }
    return new ScaledTiles(format, format.codes(), 0, levels);
  }

  private int group(int dim) {
    return group == 0 ? dim : group;
  }

  @Override
  public @Nullable MachineTiles machine() {
    return machine;
  }

  @Override
  public boolean hasProducts(int dim) {
    return codes.bits() == 4 && NibbleProducts.canUse(dim);
  }

  @Override
  public int keyGroup(int dim) {
    // Whatever computes on them, so that bits do not depend on the width of vectors.
    return codes.bits() == 4 && dim % CodePlanes.GROUP == 0 ? NibbleProducts.SUM : group(dim);
  }

  @Override
  public int valueGroup(int dim) {
    return group(dim);
  }

  @Override
  public void score(TilePlace place, FewQueries queries) {
    queries.room(place.dim / CodePlanes.GROUP);
    spreadScales(place, queries.scales, 0, CodePlanes.GROUP);
    NibbleProducts.score(place, queries, levels);
  }

  @Override
  public void add(TilePlace place, FewQueries queries) {
    int groups = place.dim / CodePlanes.GROUP;
    queries.room(groups);
    spreadScales(place, queries.scales, 0, CodePlanes.GROUP);
    queries.fold(place.tiles, groups);
    NibbleProducts.add(place, queries, levels);
  }

  @Override
  public void readKeys(TilePlace place) {
    spreadScales(place, place.scales, place.scaleAt, keyGroup(place.dim));
    unpacker.keys(place);
    look(place, place.tiles * TILE * place.dim);
  }

  @Override
  public void readValues(TilePlace place) {
    readScales(place, place.scales, place.scaleAt);
    unpacker.values(place);
    look(place, place.tiles * TILE * place.dim);
  }

  /// Reads scales and repeats each for all parts of `part` channels that it is the scale of.
  private void spreadScales(TilePlace place, float[] scales, int scaleAt, int part) {
    int size = group(place.dim);
    if (part == size) {
      readScales(place, scales, scaleAt);
      return;
    }
    int groups = (place.dim + size - 1) / size;
    float[] own = ownScales(place.tiles * groups * TILE);
    readScales(place, own, 0);
    int parts = place.dim / part;
    for (int i = 0; i < place.tiles * parts; i++) {
      int from = (i / parts * groups + i % parts * part / size) * TILE;
      System.arraycopy(own, from, scales, scaleAt + i * TILE, TILE);
    }
  }

  private float[] ownScales(int size) {
    if (rowScales.length < size) {
      rowScales = new float[size];
    }
    return rowScales;
  }

  @Override
  public void readRows(TilePlace place) {
    int size = group(place.dim);
    int groups = (place.dim + size - 1) / size;
    float[] scales = ownScales(groups * TILE);
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
    if (!hasTable) {
      return;
    }
    int[] table = levels;
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
    if (format instanceof GroupFormat && GroupEncoder.canUse(codes.bits(), place.dim)) {
      encoder.write(place, source, from);
      return;
    }
    format.encode(source, from, place.toPlane(), place.slot);
  }
}
