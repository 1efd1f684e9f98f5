package io.kvasir.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.kvcache.format.ExactRows;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.format.PlaneKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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
    long full = layout.groups().stream().filter(g -> g.window() == 0).count();
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
          LayerKv kv = layout.kv(layer);
          for (int head = 0; head < kv.kvHeads(); head++) {
            long key = layout.keyOffset(layer, head);
            long value = layout.valueOffset(layer, head);
            assertThat(key % 64).isZero();
            assertThat(value % 64).isZero();
            assertThat(key).isGreaterThanOrEqualTo(end);
            assertThat(value - key).isGreaterThanOrEqualTo(2L * blockTokens * kv.keyDim());
            end = value + 2L * blockTokens * kv.valueDim();
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

  private static LayerKv exact(int window, int sinks, int tail) {
    return new LayerKv(2, 64, 64, window, KvFormat.BF16, KvFormat.BF16, new ExactRows(sinks, tail));
  }

  @Test
  void of_exactRows_addsAWindowAndABoundedGroup() {
    KvLayout layout = KvLayout.of(List.of(layer(2, 64, 0), exact(0, 128, 64)), 32);
    assertThat(layout.groupOf(0).role()).isEqualTo(LayerGroup.Role.CODES);
    assertThat(layout.exactGroup(0, LayerGroup.Role.TAIL)).isNull();
    assertThat(layout.exactGroup(0, LayerGroup.Role.SINKS)).isNull();
    assertThat(layout.exactGroup(1, LayerGroup.Role.CODES)).isSameAs(layout.groupOf(1));
    LayerGroup tail = Objects.requireNonNull(layout.exactGroup(1, LayerGroup.Role.TAIL));
    LayerGroup sinks = Objects.requireNonNull(layout.exactGroup(1, LayerGroup.Role.SINKS));
    assertThat(layout.kv(tail, 1))
        .isEqualTo(
            new LayerKv(2, 64, 64, 64 + 64, KvFormat.F16, KvFormat.F16, new ExactRows(128, 64)));
    assertThat(tail.layers()).containsExactly(1);
    assertThat(sinks.isBounded()).isTrue();
    assertThat(sinks.limit()).isEqualTo(128);
    assertThat(sinks.endBlock(33, 32)).isEqualTo(2);
    assertThat(sinks.endBlock(100_000, 32)).isEqualTo(4);
    // Every query finds its exact rows in the window.
    for (int position = 0; position < 1000; position++) {
      assertThat(tail.firstVisible(position)).isEqualTo(layout.kv(1).exact().exactFrom(position));
    }
  }

  @Test
  void of_exactTailOfAWindowLayer_isNoLongerThanItsWindow() {
    KvLayout layout = KvLayout.of(List.of(exact(96, 0, 256)), 32);
    LayerGroup tail = Objects.requireNonNull(layout.exactGroup(0, LayerGroup.Role.TAIL));
    assertThat(tail.window()).isEqualTo(96);
  }

  @Test
  void bytes_exactRows_countOncePerSequence() {
    List<LayerKv> layers = pattern(16, 1, exact(0, 64, 64), exact(0, 64, 64));
    List<LayerKv> bare = pattern(16, 1, exact(0, 0, -1), exact(0, 0, -1));
    KvLayout layout = KvLayout.of(layers, 64);
    KvLayout plain = KvLayout.of(bare, 64);
    assertThat(layout.bytesPerToken()).isEqualTo(plain.bytesPerToken());
    assertThat(layout.payloadBytesPerToken()).isEqualTo(plain.payloadBytesPerToken());
    assertThat(plain.exactBytes(64)).isZero();
    // Beside the codes three blocks of the tail (64, those of the grid, a step of 64) and a sink.
    long group = layout.blockBytes();
    assertThat(layout.exactBytes(64)).isEqualTo(group * (3 + 1));
    assertThat(layout.blocksFor(6400, 64)).isEqualTo(100 + 3 + 1);
    assertThat(layout.blocksFor(64, 64)).isEqualTo(3);
  }

  @Test
  void blocksFor_windowGroups_isWhatASequenceHoldsAtMost() {
    for (int blockTokens : new int[] {16, 32, 48, 64, 80, 96, 112, 128}) {
      for (LayerKv kv :
          List.of(exact(0, 0, 0), exact(0, 0, 64), exact(0, 0, 192), layer(2, 64, 70))) {
        KvLayout layout = KvLayout.of(List.of(kv), blockTokens);
        LayerGroup group = layout.groups().getLast();
        long codes = group.index();
        for (int chunk : new int[] {1, 5, 64, 100}) {
          long most = 0;
          for (int length = 0; length < 2000; length++) {
            int first = group.firstVisible(length) / blockTokens;
            most = Math.max(most, group.endBlock(length + chunk, blockTokens) - first);
          }
          long all = (100_000L + blockTokens - 1) / blockTokens;
          assertThat(layout.blocksFor(100_000, chunk) - codes * all)
              .as("%s in blocks of %d, steps of %d", kv, blockTokens, chunk)
              .isEqualTo(most);
        }
      }
    }
  }

  @Test
  void of_exactRowsLargerThanCodes_padsCodesLittle() {
    int[][] shapes = {
      {16, 8, 64}, {32, 8, 128}, {28, 2, 128}, {8, 2, 64}, {26, 1, 256}, {6, 4, 64}
    };
    for (int[] shape : shapes) {
      for (int tail = 0; tail <= 128; tail += 64) {
        LayerKv kv =
            new LayerKv(
                shape[1],
                shape[2],
                shape[2],
                0,
                KvFormat.INT4,
                KvFormat.INT4,
                new ExactRows(64, tail));
        KvLayout layout = KvLayout.of(pattern(shape[0], 1, kv, kv), 64);
        double padding = layout.bytesPerToken() / layout.payloadBytesPerToken();
        assertThat(padding).as("%d layers", shape[0]).isLessThan(1.03);
        assertThat(layout.groups()).hasSizeLessThanOrEqualTo(96);
      }
    }
  }

  @Test
  void of_formatOfTiles_needsWholeTilesInABlockAndInTheTail() {
    for (KvFormat format : KvFormat.ALL) {
      int tile = format.tileTokens(PlaneKind.KEYS);
      if (tile > 1) {
        LayerKv bare = new LayerKv(1, 64, 64, 0, format, format);
        assertThatThrownBy(() -> KvLayout.of(List.of(bare), 128))
            .hasMessageContaining(format.name())
            .hasMessageContaining("needs an exact tail");
        LayerKv tailed = new LayerKv(1, 64, 64, 0, format, format, new ExactRows(0, 128));
        assertThatThrownBy(() -> KvLayout.of(List.of(tailed), 128).checkPrunable())
            .hasMessageContaining("cannot be pruned");
        if (tile > 16) {
          assertThatThrownBy(() -> KvLayout.of(List.of(tailed), tile - 16))
              .hasMessageContaining(Integer.toString(tile - 16));
        }
      }
    }
  }

  /// Layers, kv heads, elements of a head.
  private static final int[][] SHAPES = {
    {8, 2, 64}, {16, 8, 64}, {32, 8, 128}, {28, 2, 128}, {26, 1, 256}, {24, 4, 80}, {36, 4, 96}
  };

  private static KvLayout layout(int[] shape, KvRecipe recipe) {
    List<LayerKv> layers = new ArrayList<>();
    for (int layer = 0; layer < shape[0]; layer++) {
      KvRecipe.Formats formats = recipe.of(layer, shape[0]);
      layers.add(
          new LayerKv(
              shape[1], shape[2], shape[2], 0, formats.keys(), formats.values(), formats.exact()));
    }
    return KvLayout.of(layers, 64);
  }

  @Test
  void of_layersOfUnlikeFormats_shareBlocksWithoutPadding() {
    List<String> recipes =
        List.of(
            "int4[0,-1=int8]",
            "int6/int5[0=int4;1=int5;3=lm3/int4;-1=f16]",
            "k8v4[1,2=k4v2+s64t64]",
            "kivi4[0,1,2=int8]",
            "lm3[0,1=f32]");
    for (int[] shape : SHAPES) {
      for (String name : recipes) {
        KvLayout layout = layout(shape, KvRecipe.named(name));
        double padding = layout.bytesPerToken() / layout.payloadBytesPerToken();
        assertThat(padding).as("%s of %d layers", name, shape[0]).isLessThan(1.03);
        for (int layer = 0; layer < shape[0]; layer++) {
          KvRecipe.Formats formats = KvRecipe.named(name).of(layer, shape[0]);
          assertThat(layout.kv(layer).keyFormat()).isEqualTo(formats.keys());
          assertThat(layout.kv(layer).exact()).isEqualTo(formats.exact());
        }
      }
    }
  }

  @Test
  void blocksFor_fixedMemory_holdsMoreSequencesByTheRatioOfTheirBytes() {
    List<String> recipes = new ArrayList<>(KvFormat.ALL.stream().map(KvFormat::name).toList());
    recipes.addAll(List.of("k8v4", "k4v2", "int4[0,-1=int8]", "int6/int5[0=int4;1=lm3]", "lm3+s0"));
    List<String> few =
        List.of("int8", "int6", "int5", "int4", "q8_0", "fp8", "k8v4", "int4[1=int8]");
    // Copies of whole layers are four to eight times as large as their codes of two or three bits
    // and fill blocks badly, which weighs in short sequences.
    List<String> small = List.of("lm3", "lm2", "kvarn3", "kvarn2", "k4v2", "kivi2");
    for (int[] shape : SHAPES) {
      checkUsers(shape, 3_500, few, 0.97);
      checkUsers(shape, 3_500, small, 0.89);
      checkUsers(shape, 8_000, small, 0.94);
      checkUsers(shape, 16_384, recipes, 0.97);
      checkUsers(shape, 24_000, recipes, 0.97);
    }
  }

  private static void checkUsers(int[] shape, int tokens, List<String> recipes, double least) {
    KvLayout raw = layout(shape, KvRecipe.of(KvFormat.F16));
    // So many that whole sequences say little about parts of one.
    long memory = 200L * raw.blocksFor(tokens, 1) * raw.blockBytes();
    for (String name : recipes) {
      KvLayout layout = layout(shape, KvRecipe.named(name));
      long users = memory / layout.blockBytes() / layout.blocksFor(tokens, 1);
      double ratio = (double) heldBytes(raw, tokens) / heldBytes(layout, tokens);
      assertThat(users / 200.0 / ratio)
          .as("%s, %d layers, %d tokens", name, shape[0], tokens)
          .isBetween(least, 1.01);
    }
  }

  /// Bytes of the rows of a sequence, each in whole blocks, without padding: codes and the most
  /// copies that it ever has.
  private static long heldBytes(KvLayout layout, int tokens) {
    long bytes = 0;
    for (LayerGroup group : layout.groups()) {
      long held = Math.min(tokens, group.limit());
      held = group.isWindow() ? Math.min(held, group.mostHeld(1, 64)) : held;
      bytes += (held + 63) / 64 * 64 * layout.payloadBytesPerToken(group);
    }
    return bytes;
  }

  @Test
  void offsets_ofExactGroups_areDisjoint() {
    KvLayout layout = KvLayout.of(pattern(9, 2, layer(3, 40, 0), exact(0, 64, 0)), 48);
    for (LayerGroup group : layout.groups()) {
      long end = 0;
      for (int layer : group.layers()) {
        LayerKv kv = layout.kv(group, layer);
        for (int head = 0; head < kv.kvHeads(); head++) {
          assertThat(layout.keyOffset(group, layer, head)).isGreaterThanOrEqualTo(end);
          end = layout.valueOffset(group, layer, head) + 2L * 48 * kv.valueDim();
        }
      }
      assertThat(end).isLessThanOrEqualTo(layout.blockBytes());
    }
  }
}
