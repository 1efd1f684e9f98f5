package io.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.kvasir.model.file.ModelFormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class CharacterMapTest {
  private static final Map<String, String> MAPPINGS =
      Map.ofEntries(
          Map.entry("ﬁ", "fi"),
          Map.entry("①", "1"),
          Map.entry("e\u0301", "é"),
          Map.entry("\u00a0", " "),
          Map.entry("\u200b", ""),
          Map.entry("\t", " "),
          Map.entry("\n", " "),
          Map.entry("㍿", "株式会社"),
          Map.entry("３", "3"),
          Map.entry("Å", "Å"),
          Map.entry("…", "..."));

  /// A node of the double array while it is laid out.
  private static final class Builder {
    private int[] units = new int[1 << 12];
    private final boolean[] used = new boolean[1 << 12];
    private int size = 256;

    /// Lays out the keys `from` to `to`, which share their first `depth` bytes, below `node`.
    void build(byte[][] keys, int[] values, int from, int to, int depth, int node) {
      int base = freeBase(keys, from, to, depth);
      units[node] |= (base ^ node) << 10;
      for (int i = from; i < to; ) {
        int label = label(keys[i], depth);
        int end = i;
        while (end < to && label(keys[end], depth) == label) {
          end++;
        }
        int child = base ^ label;
        used[child] = true;
        // Whole blocks, so that a look-up never leaves the array.
        size = Math.max(size, (child | 255) + 1);
        if (label == 0) {
          units[node] |= 1 << 8;
          units[child] = values[i] | 1 << 31;
        } else {
          units[child] |= label;
        }
        i = end;
      }
      for (int i = from; i < to; ) {
        int label = label(keys[i], depth);
        int end = i;
        while (end < to && label(keys[end], depth) == label) {
          end++;
        }
        if (label != 0) {
          build(keys, values, i, end, depth + 1, base ^ label);
        }
        i = end;
      }
    }

    private int freeBase(byte[][] keys, int from, int to, int depth) {
      for (int base = 256; ; base++) {
        boolean free = true;
        for (int i = from; i < to && free; i++) {
          free = !used[base ^ label(keys[i], depth)];
        }
        if (free) {
          return base;
        }
      }
    }

    private static int label(byte[] key, int depth) {
      return depth < key.length ? key[depth] & 255 : 0;
    }
  }

  static byte[] blob() {
    TreeMap<String, String> sorted = new TreeMap<>(MAPPINGS);
    byte[][] keys = new byte[sorted.size()][];
    int[] values = new int[sorted.size()];
    StringBuilder replacements = new StringBuilder();
    int n = 0;
    int place = 0;
    for (Map.Entry<String, String> entry :
        sorted.entrySet().stream()
            .sorted((a, b) ->
                Arrays.compareUnsigned(
                    a.getKey().getBytes(StandardCharsets.UTF_8),
                    b.getKey().getBytes(StandardCharsets.UTF_8)))
            .toList()) {
      keys[n] = entry.getKey().getBytes(StandardCharsets.UTF_8);
      values[n++] = place;
      replacements.append(entry.getValue()).append('\0');
      place += entry.getValue().getBytes(StandardCharsets.UTF_8).length + 1;
    }
    Builder builder = new Builder();
    builder.used[0] = true;
    builder.build(keys, values, 0, n, 0, 0);
    byte[] tail = replacements.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer out =
        ByteBuffer.allocate(4 + 4 * builder.size + tail.length).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(4 * builder.size);
    for (int i = 0; i < builder.size; i++) {
      out.putInt(builder.units[i]);
    }
    return out.put(tail).array();
  }

  static String base64() {
    return Base64.getEncoder().encodeToString(blob());
  }

  @Test
  void apply_mappedCharacters_areReplaced() {
    CharacterMap map = CharacterMap.read(blob());
    assertThat(map.applyByLongestPrefix("a①e\u0301ﬁ…\u200bz3３")).isEqualTo("a1éfi...z33");
    assertThat(map.applyByGrapheme("a①e\u0301ﬁ…\u200bz3３")).isEqualTo("a1éfi...z33");
  }

  @Test
  void read_damagedTables_areRefusedOrHarmless() {
    byte[] good = blob();
    assertThatThrownBy(() -> CharacterMap.read(new byte[] {1, 2}))
        .isInstanceOf(ModelFormatException.class);
    assertThatThrownBy(() -> CharacterMap.read(new byte[] {-1, -1, -1, -1, 0}))
        .isInstanceOf(ModelFormatException.class);
    SplittableRandom random = new SplittableRandom(TestTexts.SEED);
    for (int round = 0; round < 300; round++) {
      byte[] bad = good.clone();
      for (int i = 0; i < 30; i++) {
        bad[4 + random.nextInt(bad.length - 4)] = (byte) random.nextInt(256);
      }
      String text = TestTexts.random(random, 20);
      try {
        CharacterMap map = CharacterMap.read(bad);
        assertThat(map.applyByGrapheme(text)).isNotNull();
        assertThat(map.applyByLongestPrefix(text)).isNotNull();
      } catch (ModelFormatException e) {
        assertThat(e).hasMessageContaining("character map");
      }
    }
  }
}
