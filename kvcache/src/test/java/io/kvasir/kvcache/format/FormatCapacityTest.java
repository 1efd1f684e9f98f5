package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.kvasir.kvcache.BlockTable;
import io.kvasir.kvcache.KvCache;
import io.kvasir.kvcache.KvCacheConfig;
import io.kvasir.kvcache.KvLayout;
import io.kvasir.kvcache.LayerKv;
import io.kvasir.kvcache.Reservation;
import io.kvasir.kvcache.tier.HostStorage;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// In memory of a fixed size, as many more sequences fit as a format's rows are smaller.
final class FormatCapacityTest {
  private static final long MEMORY = 256L << 20;
  private static final int TOKENS = 512;

  private static KvLayout layout(String recipe, int dim, int blockTokens) {
    return layout(recipe, 4, dim, blockTokens);
  }

  private static KvLayout layout(String recipe, int count, int dim, int blockTokens) {
    List<LayerKv> layers = new ArrayList<>();
    for (int layer = 0; layer < count; layer++) {
      KvRecipe.Formats formats = KvRecipe.named(recipe).of(layer, count);
      layers.add(new LayerKv(2, dim, dim, 0, formats.keys(), formats.values(), formats.exact()));
    }
    return KvLayout.of(layers, blockTokens);
  }

  private static KvCache cache(String recipe, int dim, int blockTokens) {
    KvLayout layout = layout(recipe, dim, blockTokens);
    KvCacheConfig config = KvCacheConfig.ofBytes(layout, MEMORY);
    return new KvCache(config, new HostStorage(layout.blockBytes(), config.blockCount()));
  }

  /// How many sequences of [#TOKENS] tokens a cache takes until it refuses one.
  private static int sequences(String recipe, int dim, int blockTokens) {
    KvCache cache = cache(recipe, dim, blockTokens);
    try {
      int fit = 0;
      while (true) {
        BlockTable table = cache.open();
        if (cache.reserve(table, TOKENS) != Reservation.Granted.GRANTED) {
          return fit;
        }
        fit++;
      }
    } finally {
      cache.storage().close();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "int8, 64, 64, 1.9394",
    "int4+s0, 64, 64, 3.5556",
    "k8v4+s0, 64, 64, 2.5098",
    "int8, 128, 16, 1.9692",
    "int4+s0, 128, 16, 3.5556",
    "k8v4+s0, 128, 64, 2.5347",
    "lm3+s0, 128, 64, 5.12",
    "int8, 80, 64, 1.9512"
  })
  void reserve_fixedMemory_takesMoreSequencesByTheRatio(
      String recipe, int dim, int blockTokens, double ratio) {
    int plain = sequences("f16", dim, blockTokens);
    int fit = sequences(recipe, dim, blockTokens);
    assertThat(plain).isGreaterThan(90);
    assertThat((double) fit / plain).isCloseTo(ratio, within(0.03 * ratio));
  }

  @ParameterizedTest
  @CsvSource({"int4, 3.5556", "k8v4, 2.5347", "int8+s64t128, 1.9692"})
  void blocksFor_exactRowsToo_costsLittleInLongSequences(String recipe, double ratio) {
    int tokens = 65_536;
    KvLayout plain = layout("f16", 128, 64);
    KvLayout coded = layout(recipe, 128, 64);
    double plainBytes = (double) plain.blocksFor(tokens, 512) * plain.blockBytes();
    double bytes = (double) coded.blocksFor(tokens, 512) * coded.blockBytes();
    assertThat(coded.groups().size()).isGreaterThan(1);
    assertThat(plainBytes / bytes).isBetween(0.96 * ratio, ratio);
  }

  /// Of few bits too, where a model has more than a few layers and the sequence goes on.
  @ParameterizedTest
  @CsvSource({
    "int4, 3.5556",
    "kivi4, 3.2",
    "lm3, 5.12",
    "lm2, 7.5294",
    "kvarn3, 4.4912",
    "k4v2, 4.4912",
    "kivi2, 5.3333"
  })
  void blocksFor_exactRowsOfFewBits_keepsTheRatio(String recipe, double ratio) {
    KvLayout plain = layout("f16", 16, 128, 64);
    KvLayout coded = layout(recipe, 16, 128, 64);
    assertThat(coded.groups().size()).isGreaterThan(1);
    for (int tokens : new int[] {40_960, 65_536}) {
      double plainBytes = (double) plain.blocksFor(tokens, 1) * plain.blockBytes();
      double bytes = (double) coded.blocksFor(tokens, 1) * coded.blockBytes();
      assertThat(plainBytes / bytes).as("%d", tokens).isBetween(0.97 * ratio, ratio * 1.0001);
    }
  }
}
