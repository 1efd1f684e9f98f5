package io.kvasir.model.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.PlaneKind;
import org.junit.jupiter.api.Test;

/// The planner knows every format of the cache by its name, and its size to the byte.
class KvBitsAgreementTest {

  @Test
  void rowBytes_everyCacheFormat_areThoseOfItsPlanes() {
    for (KvFormat format : KvFormat.ALL) {
      KvBits bits = KvBits.named(format.name());
      for (int dim : new int[] {64, 128, 256}) {
        assertThat(bits.keyRowBytes(dim) * 128)
            .as("%s, 128 rows of %d", format.name(), dim)
            .isEqualTo((double) format.planeBytes(128, dim, PlaneKind.VALUES));
      }
    }
  }
}
