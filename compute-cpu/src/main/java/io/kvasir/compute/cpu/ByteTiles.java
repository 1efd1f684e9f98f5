package io.kvasir.compute.cpu;

import static io.kvasir.compute.cpu.Lanes.F;
import static io.kvasir.compute.cpu.Lanes.L;

import io.kvasir.compute.x86.TileCodes;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.format.Int8Format;
import io.kvasir.kvcache.format.KvFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Formats of a byte for each element behind which scales stand, one for each token or for each
/// token and group of channels: signed integers or 8-bit floats. Scales are folded into scores and
/// weights. Sixteen tokens take the same bytes whether their channels or their rows are
/// consecutive.
final class ByteTiles implements TileFormat {
  private static final int TILE = KvLayout.TILE_TOKENS;

  /// What the bits of an 8-bit float are too small by, moved to where f32 has them.
  private static final float REBIAS = 0x1p120f;

  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, L * Byte.SIZE)));
  private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

  private final KvFormat format;
  private final int group;
  private final boolean floats;
  private final @Nullable MachineTiles machine;
  private float[] rowScales = {};

  /// @param group channels that share a scale; 0 for all
  /// @param floats whether bytes are e4m3 floats, not integers
  ByteTiles(KvFormat format, int group, boolean floats) {
    this.format = format;
    this.group = group;
    this.floats = floats;
    int shared = group == 0 ? MachineTiles.WHOLE : group;
    machine = floats ? null : new MachineTiles(TileCodes.Kind.BYTES, shared, new int[0]);
  }

  @Override
  public int keyGroup(int dim) {
    return group == 0 ? dim : group;
  }

  @Override
  public int valueGroup(int dim) {
    return keyGroup(dim);
  }

  @Override
  public @Nullable MachineTiles machine() {
    return machine;
  }

  @Override
  public boolean hasProducts(int dim) {
    return !floats && L >= 8 && dim % TILE == 0;
  }

  @Override
  public void score(TilePlace place, FewQueries queries) {
    queries.room(groups(place.dim));
    readScales(place, queries.scales, 0);
    ByteProducts.score(place, queries, keyGroup(place.dim));
  }

  @Override
  public void add(TilePlace place, FewQueries queries) {
    int groups = groups(place.dim);
    queries.room(groups);
    readScales(place, queries.scales, 0);
    queries.fold(place.tiles, groups);
    ByteProducts.add(place, queries, keyGroup(place.dim));
  }

  @Override
  public void readKeys(TilePlace place) {
    readScales(place, place.scales, place.scaleAt);
    long from = place.plane + (long) place.slot * place.dim;
    int count = place.tiles * TILE * place.dim;
    if (floats) {
      readFloats(place.memory, from, place.numbers, place.at, count);
    } else {
      readIntegers(place.memory, from, place.numbers, place.at, count);
    }
  }

  @Override
  public void readValues(TilePlace place) {
    readKeys(place);
  }

  @Override
  public void readRows(TilePlace place) {
    int size = keyGroup(place.dim);
    int groups = groups(place.dim);
    if (rowScales.length < groups * TILE) {
      rowScales = new float[groups * TILE];
    }
    place.scales = rowScales;
    place.scaleAt = 0;
    readKeys(place);
    for (int t = 0; t < TILE; t++) {
      int to = place.at + t * place.dim;
      for (int c = 0; c < place.dim; c++) {
        place.numbers[to + c] *= rowScales[c / size * TILE + t];
      }
    }
  }

  private int groups(int dim) {
    int size = keyGroup(dim);
    return (dim + size - 1) / size;
  }

  private void readScales(TilePlace place, float[] scales, int scaleAt) {
    int groups = groups(place.dim);
    long from = place.plane + (long) place.blockTokens * place.dim + 2L * place.slot * groups;
    BlockDecoders.finiteF16(place.memory, from, scales, scaleAt, place.tiles * groups * TILE);
  }

  /// The compiler makes better vector code of this loop than of the Vector API.
  private static void readIntegers(
      MemorySegment memory, long from, float[] numbers, int at, int count) {
    for (int i = 0; i < count; i++) {
      numbers[at + i] = memory.get(ValueLayout.JAVA_BYTE, from + i);
    }
  }

  private static void readFloats(
      MemorySegment memory, long from, float[] numbers, int at, int count) {
    if (L < 8) {
      for (int i = 0; i < count; i++) {
        int code = memory.get(ValueLayout.JAVA_BYTE, from + i);
        int bits = code & 0x80000000 | (code & 0x7f) << 20;
        numbers[at + i] = Float.intBitsToFloat(bits) * REBIAS;
      }
      return;
    }
    for (int i = 0; i < count; i += L) {
      IntVector code =
          (IntVector)
              ByteVector.fromMemorySegment(B, memory, from + i, ByteOrder.LITTLE_ENDIAN)
                  .castShape(I, 0);
      code.and(0x7f)
          .lanewise(VectorOperators.LSHL, 20)
          .or(code.and(0x80000000))
          .reinterpretAsFloats()
          .mul(REBIAS)
          .intoArray(numbers, at + i);
    }
  }

  @Override
  public void write(TilePlace place, float[] source, int from) {
    if (format instanceof Int8Format) {
      writeIntegers(place, source, from);
    } else {
      format.encode(source, from, place.toPlane(), place.slot);
    }
  }

  /// [Int8Format#encode] without allocating.
  private static void writeIntegers(TilePlace place, float[] source, int from) {
    int dim = place.dim;
    float most = 0;
    for (int i = 0; i < dim; i++) {
      float y = Math.abs(GroupEncoder.finite(source[from + i]));
      most = y > most ? y : most;
    }
    short half = Float.floatToFloat16(most / 127);
    float scale = Float.float16ToFloat(half);
    float inverse = scale == 0 ? 0 : 1 / scale;
    place.memory.set(HALF, place.plane + (long) place.blockTokens * dim + 2L * place.slot, half);
    for (int i = 0; i < dim; i++) {
      float y = GroupEncoder.finite(source[from + i]) * inverse;
      byte code = (byte) Math.rint(Math.clamp(y, -127, 127));
      long to = place.plane + place.kind.element(place.slot, i, dim);
      place.memory.set(ValueLayout.JAVA_BYTE, to, code);
    }
  }
}
