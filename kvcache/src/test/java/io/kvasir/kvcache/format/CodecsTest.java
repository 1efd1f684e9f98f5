package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// What holds for every format.
final class CodecsTest {
  private static final List<PlaneKind> KINDS = List.of(PlaneKind.values());

  /// Clamped elements are at most 65504; a tile may extend its span to four times.
  private static final float MOST_READ = 300_000;

  /// Squared error of normal rows of 128, relative; a hundredth above what each format reaches.
  private static final Map<String, Double> ERRORS =
      Map.ofEntries(
          Map.entry("f32", 0.0),
          Map.entry("f16", 4.4e-8),
          Map.entry("bf16", 2.8e-6),
          Map.entry("int8", 4.25e-5),
          Map.entry("fp8", 6.7e-4),
          Map.entry("int6", 4.3e-4),
          Map.entry("int5", 1.71e-3),
          Map.entry("int4", 6.8e-3),
          Map.entry("lm4", 9.3e-3),
          Map.entry("lm3", 0.0343),
          Map.entry("lm2", 0.1202),
          Map.entry("kvarn4", 8.95e-3),
          Map.entry("kvarn3", 0.0335),
          Map.entry("kvarn2", 0.1172),
          Map.entry("kivi4", 6.2e-3),
          Map.entry("kivi2", 0.156),
          Map.entry("q8_0", 2.9e-5),
          Map.entry("q8_0r", 2.9e-5),
          Map.entry("q5_1", 1.44e-3),
          Map.entry("q5_0", 1.84e-3),
          Map.entry("q4_0", 7.5e-3),
          Map.entry("q4_0r", 7.5e-3));

  @Test
  void roundTrip_normalRows_errorIsThatOfTheFormat() {
    SplittableRandom random = new SplittableRandom(11);
    int dim = 128;
    float[] rows = CodecCheck.gaussian(random, 128 * 40, dim, 3);
    for (KvFormat format : KvFormat.ALL) {
      for (PlaneKind kind : KINDS) {
        double error = 0;
        for (int block = 0; block < 40; block++) {
          float[] part = Arrays.copyOfRange(rows, block * 128 * dim, (block + 1) * 128 * dim);
          float[] read =
              CodecCheck.roundTrip(format, part, CodecCheck.plane(format, 128, dim, kind));
          error += CodecCheck.error(part, read) / 40;
        }
        double bound = ERRORS.getOrDefault(format.name(), Double.NaN);
        assertThat(error).as("%s %s", format.name(), kind).isBetween(0.85 * bound, bound);
      }
    }
  }

  @Test
  void roundTrip_anySize_staysInThePlaneAndDoesNotDependOnOtherRows() {
    for (KvFormat format : KvFormat.ALL) {
      for (PlaneKind kind : KINDS) {
        for (int dim : CodecCheck.DIMS) {
          SplittableRandom random = new SplittableRandom(dim);
          int tile = format.tileTokens(kind);
          int small = Math.max(16, tile);
          int large = 2 * Math.max(48, tile);
          float[] rows = CodecCheck.gaussian(random, large, dim, 1);
          KvPlane plane = CodecCheck.plane(format, large, dim, kind);
          float[] read = CodecCheck.roundTrip(format, rows, plane);
          assertThat(CodecCheck.error(rows, read))
              .as("%s %s of %s", format.name(), kind, dim)
              // Balancing rows of a few elements does more harm than good.
              .isLessThan(tile == 64 && dim < 16 ? 2 : 0.5);
          // The same rows at other slots of another block read the same.
          KvPlane other = CodecCheck.plane(format, small, dim, kind);
          for (int slot = 0; slot < small; slot += tile) {
            format.encode(rows, (large - small + slot) * dim, other, slot);
          }
          float[] again = CodecCheck.decode(format, other);
          assertThat(again)
              .as("%s %s of %s", format.name(), kind, dim)
              .isEqualTo(Arrays.copyOfRange(read, (large - small) * dim, large * dim));
        }
      }
    }
  }

  @Test
  void copyRow_anySize_copiesTheCodesOnly() {
    for (KvFormat format : KvFormat.ALL) {
      for (PlaneKind kind : KINDS) {
        if (format.tileTokens(kind) > 1) {
          continue;
        }
        for (int dim : CodecCheck.DIMS) {
          SplittableRandom random = new SplittableRandom(dim);
          KvPlane from = CodecCheck.plane(format, 16, dim, kind);
          KvPlane to = CodecCheck.plane(format, 48, dim, kind);
          float[] first =
              CodecCheck.roundTrip(format, CodecCheck.gaussian(random, 16, dim, 2), from);
          float[] second =
              CodecCheck.roundTrip(format, CodecCheck.gaussian(random, 48, dim, 2), to);
          format.copyRow(from, 5, to, 33);
          CodecCheck.assertGuarded(format, to);
          float[] after = CodecCheck.decode(format, to);
          System.arraycopy(first, 5 * dim, second, 33 * dim, dim);
          assertThat(after).as("%s %s of %s", format.name(), kind, dim).isEqualTo(second);
        }
      }
    }
  }

  @Test
  void roundTrip_hostileRows_readFinite() {
    SplittableRandom random = new SplittableRandom(77);
    for (KvFormat format : KvFormat.ALL) {
      if (List.of(KvFormat.F32, KvFormat.F16, KvFormat.BF16).contains(format)) {
        continue; // They keep what they are given.
      }
      for (PlaneKind kind : KINDS) {
        for (int round = 0; round < 40; round++) {
          int dim = 1 + random.nextInt(150);
          KvPlane plane = CodecCheck.plane(format, 64, dim, kind);
          float[] rows = hostile(random, 64 * dim, round);
          float[] read = CodecCheck.roundTrip(format, rows, plane);
          for (int i = 0; i < read.length; i++) {
            if (!(Math.abs(read[i]) < MOST_READ)) {
              fail(
                  "%s %s round %s: element %s was %s and reads %s"
                      .formatted(format.name(), kind, round, i, rows[i], read[i]));
            }
          }
        }
      }
    }
  }

  /// Rows that mix special values: NaN, infinities, denormals, huge ones, constants, zeros.
  private static float[] hostile(SplittableRandom random, int count, int round) {
    float[] x = new float[count];
    float constant = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(-12, 12)));
    for (int i = 0; i < count; i++) {
      x[i] =
          switch (round % 8) {
            case 0 -> Float.intBitsToFloat(random.nextInt());
            case 1 -> constant;
            case 2 -> 0;
            case 3 -> random.nextInt(40) == 0 ? 1e30f : (float) random.nextGaussian();
            case 4 -> random.nextInt(9) == 0 ? Float.NaN : (float) random.nextGaussian();
            case 5 -> random.nextInt(99) == 0 ? Float.NEGATIVE_INFINITY : 1e-30f;
            case 6 -> Float.MIN_VALUE * random.nextInt(100);
            default -> 65504 * (random.nextBoolean() ? 1 : -1);
          };
    }
    return x;
  }

  @Test
  void roundTrip_zeroRows_areZero() {
    for (KvFormat format : KvFormat.ALL) {
      for (PlaneKind kind : KINDS) {
        KvPlane plane = CodecCheck.plane(format, 64, 48, kind);
        float[] read = CodecCheck.roundTrip(format, new float[64 * 48], plane);
        for (float x : read) {
          assertThat(x).as(format.name()).isZero();
        }
      }
    }
  }

  @Test
  void encode_rowsOverAnotherBlocksBytes_leaveNothingBehind() {
    SplittableRandom random = new SplittableRandom(3);
    for (KvFormat format : KvFormat.ALL) {
      for (PlaneKind kind : KINDS) {
        KvPlane used = CodecCheck.plane(format, 64, 80, kind);
        KvPlane fresh = CodecCheck.plane(format, 64, 80, kind);
        fresh.memory().asSlice(64, fresh.memory().byteSize() - 128).fill((byte) 0);
        CodecCheck.roundTrip(format, CodecCheck.gaussian(random, 64, 80, 9), used);
        float[] rows = CodecCheck.gaussian(random, 64, 80, 1);
        CodecCheck.roundTrip(format, rows, used);
        CodecCheck.roundTrip(format, rows, fresh);
        assertThat(used.memory().toArray(ValueLayout.JAVA_BYTE))
            .as("%s %s", format.name(), kind)
            .isEqualTo(fresh.memory().toArray(ValueLayout.JAVA_BYTE));
      }
    }
  }
}
