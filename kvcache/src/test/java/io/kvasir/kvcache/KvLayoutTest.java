package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.format.KvFormat;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class KvLayoutTest {
  private static LayerKv layer(int heads, int dim, int window) {
    return new LayerKv(heads, dim, dim, window, KvFormat.F16, KvFormat.F16);
  }

  private static List<LayerKv> pattern(int layers, int every, LayerKv full, LayerKv sliding) {
    List<LayerKv> result = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      result.add((i + 1) % every == 0 ? full : sliding);
    }
    return result;
  }

  @Test
  void of_llama70bShape_takes320KiBPerToken() {
    List<LayerKv> layers = pattern(80, 1, layer(8, 128, 0), layer(8, 128, 0));
    KvLayout layout = KvLayout.of(layers, 64);
    assertThat(layout.payloadBytesPerToken()).isEqualTo(320 * 1024);
    assertThat(layout.groups()).hasSize(1);
    // 128K tokens: 40 GiB.
    assertThat(layout.blocksFor(131072, 512) * layout.blockBytes()).isEqualTo(40L << 30);
  }

  @Test
  void of_mixedWindows_usesEqualBlocksWithLittlePadding() {
    KvLayout layout = KvLayout.of(pattern(26, 6, layer(1, 256, 0), layer(1, 256, 512)), 64);
    double padding = layout.bytesPerToken() / layout.payloadBytesPerToken();
    assertThat(padding).isLessThan(1.02);
    // A long sequence needs every block of the full group but only windows of the others.
    long full = layout.groups().stream().filter(g -> g.kv().window() == 0).count();
    long sliding = layout.groups().size() - full;
    assertThat(layout.blocksFor(64_000, 64)).isEqualTo(full * 1000 + sliding * 10);
  }

  @Test
  void offsets_ofAllPlanes_areAlignedAndDisjoint() {
    List<LayerKv> layers = pattern(7, 3, layer(3, 40, 0), layer(2, 72, 100));
    for (int blockTokens = 16; blockTokens <= 128; blockTokens += 16) {
      KvLayout layout = KvLayout.of(layers, blockTokens);
      assertThat(layout.blockBytes() % 64).isZero();
      for (LayerGroup group : layout.groups()) {
        long end = 0;
        for (int layer : group.layers()) {
          for (int head = 0; head < group.kv().kvHeads(); head++) {
            long key = layout.keyOffset(layer, head);
            long value = layout.valueOffset(layer, head);
            assertThat(key % 64).isZero();
            assertThat(value % 64).isZero();
            assertThat(key).isGreaterThanOrEqualTo(end);
            assertThat(value - key).isGreaterThanOrEqualTo(2L * blockTokens * group.kv().keyDim());
            end = value + 2L * blockTokens * group.kv().valueDim();
          }
        }
        assertThat(end).isLessThanOrEqualTo(layout.blockBytes());
      }
    }
  }

  @Test
  void of_latentLayer_storesOneRowForKeysAndValues() {
    LayerKv latent = new LayerKv(1, 576, 0, 0, KvFormat.BF16, KvFormat.BF16);
    KvLayout layout = KvLayout.of(List.of(latent), 64);
    assertThat(layout.payloadBytesPerToken()).isEqualTo(2 * 576);
    assertThat(layout.valueOffset(0, 0)).isEqualTo(layout.keyOffset(0, 0));
  }

  @Test
  void of_impossibleBlockSize_namesIt() {
    for (int size : new int[] {0, 8, 20, 144}) {
      assertThatThrownBy(() -> KvLayout.of(List.of(layer(1, 8, 0)), size))
          .hasMessageContaining(Integer.toString(size));
    }
  }
}
