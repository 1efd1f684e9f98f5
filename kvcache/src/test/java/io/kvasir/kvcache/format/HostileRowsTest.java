package io.kvasir.kvcache.format;

import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// Seeded inputs for [KvFormatFuzzTarget].
final class HostileRowsTest {
  private static final float[] SPECIAL = {
    0f,
    -0f,
    Float.NaN,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.MIN_VALUE,
    Float.MIN_NORMAL,
    65504f,
    65520f,
    -65536f,
    0x1p-24f,
    0x1p-25f,
    1e-20f,
    1f
  };

  @Test
  void encode_anyBits_readsFiniteInsideThePlane() {
    SplittableRandom random = new SplittableRandom(66);
    for (int i = 0; i < 1000; i++) {
      byte[] data = new byte[3 + 4 * (1 + random.nextInt(1 << random.nextInt(1, 9)))];
      random.nextBytes(data);
      ByteBuffer floats = ByteBuffer.wrap(data, 3, data.length - 3).slice();
      int mode = random.nextInt(4);
      for (int at = 0; at < floats.capacity(); at += 4) {
        if (mode == 1 || mode == 2 && random.nextInt(9) == 0) {
          floats.putFloat(at, SPECIAL[random.nextInt(SPECIAL.length)]);
        } else if (mode >= 2) {
          floats.putFloat(at, (float) random.nextGaussian());
        }
      }
      KvFormatFuzzTarget.fuzzerTestOneInput(data);
    }
  }
}
