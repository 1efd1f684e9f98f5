package io.kvasir.kvcache.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class KvRecipeTest {
  private static KvRecipe.Formats of(String name) {
    return KvRecipe.named(name).of(0, 4);
  }

  @ParameterizedTest
  @CsvSource({
    "f16, f16, f16, 0, -1",
    "int4, int4, int4, 0, 0",
    "INT8/int4, int8, int4, 0, 0",
    "k8v4, int8, int4, 0, 0",
    "k4v2, kvarn4, kvarn2, 64, 0",
    "kvarn3, kvarn3, kvarn3, 64, 0",
    "kivi4, kivi4, kivi4, 0, 64",
    "lm4, lm4, lm4, 0, 0",
    "lm3, lm3, lm3, 64, 0",
    "int4/lm2, int4, lm2, 64, 0",
    "kivi2/lm2, kivi2, lm2, 64, 64",
    "int4+s64t128, int4, int4, 64, 128",
    "k8v4+t128, int8, int4, 0, 128",
    "lm2+s0, lm2, lm2, 0, -1",
    "int4+s0, int4, int4, 0, -1",
    "q8_0r, q8_0r, q8_0r, 0, -1",
  })
  void named_uniform_hasItsFormats(String name, String keys, String values, int sinks, int tail) {
    KvRecipe.Formats formats = of(name);
    assertThat(formats.keys().name()).isEqualTo(keys);
    assertThat(formats.values().name()).isEqualTo(values);
    assertThat(formats.exact()).isEqualTo(new ExactRows(sinks, tail));
    assertThat(of(KvRecipe.named(name).name())).isEqualTo(formats);
  }

  @Test
  void named_perLayer_countsFromBothEndsAndTheLastWins() {
    KvRecipe recipe = KvRecipe.named("int4[0, 1=int8;-1=k8v4+t64;3=lm2]");
    assertThat(recipe.name()).isEqualTo("int4[0,1=int8;-1=k8v4+t64;3=lm2]");
    assertThat(recipe.of(0, 5).keys()).isEqualTo(KvFormat.INT8);
    assertThat(recipe.of(1, 5).values()).isEqualTo(KvFormat.INT8);
    assertThat(recipe.of(2, 5).keys()).isEqualTo(KvFormat.INT4);
    assertThat(recipe.of(3, 5).keys().name()).isEqualTo("lm2");
    assertThat(recipe.of(4, 5)).isEqualTo(of("k8v4+t64"));
    assertThat(recipe.of(3, 4).keys().name()).isEqualTo("lm2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> recipe.of(0, 3))
        .withMessageContaining("layer 3")
        .withMessageContaining("3 layers");
  }

  @Test
  void name_everyPairOfFormats_isReadAgain() {
    SplittableRandom random = new SplittableRandom(2);
    for (KvFormat keys : KvFormat.ALL) {
      for (KvFormat values : KvFormat.ALL) {
        ExactRows exact =
            new ExactRows(64 * random.nextInt(3), 64 * random.nextInt(3) - 64 < 0 ? -1 : 64);
        KvRecipe recipe = new KvRecipe.Uniform(new KvRecipe.Formats(keys, values, exact));
        assertThat(KvRecipe.named(recipe.name())).isEqualTo(recipe);
        KvRecipe plain = KvRecipe.of(keys, values);
        assertThat(KvRecipe.named(plain.name())).isEqualTo(plain);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "int3",
        "int4/",
        "/int4",
        "int4/int4/int4",
        "int4/q9",
        "int4+",
        "int4+x",
        "int4+s63",
        "int4+t1",
        "int4+s999999999999",
        "int4+s64+t64",
        "int4[",
        "int4[]",
        "int4[0]",
        "int4[x=int8]",
        "int4[0=int9]",
        "int4[0=int8",
        "int4[0=int8]x",
        "int4[0=int8[1=int4]]",
        "int4[99999999999=int8]",
        "[0=int8]",
        "int4,int8"
      })
  void named_wrong_saysWhatIsWrong(String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KvRecipe.named(name))
        .withMessageContaining("'" + name);
  }

  @Test
  void named_unknown_listsTheChoices() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KvRecipe.named("int8/q9"))
        .withMessageContaining("'q9' in 'int8/q9'")
        .withMessageContaining("KEYS/VALUES")
        .withMessageContaining("k8v4");
    for (KvFormat format : KvFormat.ALL) {
      assertThat(KvRecipe.choices()).contains(format.name());
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KvRecipe.named("auto:2GiB"))
        .withMessageContaining("'auto:2GiB'")
        .withMessageContaining("probe");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KvRecipe.named("x".repeat(20_000)))
        .withMessageContaining("20000");
  }

  @Test
  void named_anyText_isReadOrRefused() {
    SplittableRandom random = new SplittableRandom(31);
    String alphabet = "int48kv/+s0t6[]=;,-1lmq_ ";
    int read = 0;
    for (int i = 0; i < 100_000; i++) {
      StringBuilder text = new StringBuilder(random.nextBoolean() ? "int4" : "k8v4[0=");
      for (int n = random.nextInt(14); n > 0; n--) {
        text.append(alphabet.charAt(random.nextInt(alphabet.length())));
      }
      try {
        KvRecipe recipe = KvRecipe.named(text.toString());
        assertThat(KvRecipe.named(recipe.name())).isEqualTo(recipe);
        read++;
      } catch (IllegalArgumentException e) {
        assertThat(e).isExactlyInstanceOf(IllegalArgumentException.class);
      }
    }
    assertThat(read).isGreaterThan(1000);
  }

  @Test
  void split_commasInBrackets_belongToAName() {
    assertThat(KvRecipe.split("f16, int4[0,1=int8;-1=lm2],k8v4"))
        .isEqualTo(List.of("f16", "int4[0,1=int8;-1=lm2]", "k8v4"));
    assertThat(KvRecipe.split("")).isEqualTo(List.of(""));
    assertThat(KvRecipe.split("],a")).isEqualTo(List.of("]", "a"));
  }
}
