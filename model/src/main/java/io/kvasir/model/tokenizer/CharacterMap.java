package io.kvasir.model.tokenizer;

import io.kvasir.model.file.ModelFormatException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The compiled normalization table of a SentencePiece model: replacements for short byte
/// sequences.
///
/// Layout, little-endian: `u32` size of the trie in bytes; the trie, a double array of `u32` units;
/// the replacements, UTF-8, each ending in a zero byte. A unit holds in bits 0 to 7 (and 31) the
/// byte that leads to it, in bit 8 whether a key ends here, in bits 10 to 30 the offset of its
/// children, times 256 where bit 9 is set; a unit that ends a key has the place of the replacement
/// in bits 0 to 30.
final class CharacterMap {
  static final CharacterMap EMPTY = new CharacterMap(new int[0], new byte[0]);

  private static final Pattern GRAPHEME = Pattern.compile("\\X");
  private static final int LONGEST_GRAPHEME_BYTES = 5;

  private final int[] units;
  private final byte[] replacements;

  private CharacterMap(int[] units, byte[] replacements) {
    this.units = units;
    this.replacements = replacements;
  }

  /// Reads a compiled table.
  static CharacterMap read(byte[] blob) {
    if (blob.length == 0) {
      return EMPTY;
    }
    ByteBuffer buffer = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
    long trieBytes = blob.length < 4 ? -1 : Integer.toUnsignedLong(buffer.getInt());
    if (trieBytes < 0 || trieBytes % 4 != 0 || trieBytes > blob.length - 4) {
      throw new ModelFormatException(
          "the tokenizer's character map of " + blob.length + " bytes is cut off or damaged");
    }
    int[] units = new int[(int) trieBytes / 4];
    buffer.asIntBuffer().get(units);
    byte[] replacements = new byte[blob.length - 4 - (int) trieBytes];
    buffer.position(4 + (int) trieBytes).get(replacements);
    return new CharacterMap(units, replacements);
  }

  /// Replaces graphemes of up to five bytes, else single characters, each by what the shortest key
  /// that it begins with maps to.
  String applyByGrapheme(String text) {
    StringBuilder out = new StringBuilder(text.length());
    Matcher graphemes = GRAPHEME.matcher(text);
    while (graphemes.find()) {
      String grapheme = graphemes.group();
      byte[] bytes =
          grapheme.length() > LONGEST_GRAPHEME_BYTES
              ? new byte[LONGEST_GRAPHEME_BYTES + 1]
              : grapheme.getBytes(StandardCharsets.UTF_8);
      String mapped = bytes.length > LONGEST_GRAPHEME_BYTES ? null : find(bytes, 0, true).text;
      if (mapped != null) {
        out.append(mapped);
        continue;
      }
      grapheme
          .codePoints()
          .forEach(c -> {
            String single = find(Utf8.bytes(c), 0, true).text;
            if (single != null) {
              out.append(single);
            } else {
              out.appendCodePoint(c);
            }
          });
    }
    return out.toString();
  }

  /// Replaces, from left to right, the longest key that stands at each position.
  String applyByLongestPrefix(String text) {
    if (units.length == 0) {
      return text;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    StringBuilder out = new StringBuilder(text.length());
    int copied = 0;
    for (int at = 0; at < bytes.length; ) {
      Found found = find(bytes, at, false);
      if (found.text == null) {
        at += Math.max(1, lengthOf(bytes[at]));
        continue;
      }
      out.append(new String(bytes, copied, at - copied, StandardCharsets.UTF_8)).append(found.text);
      at += found.length;
      copied = at;
    }
    return out.append(new String(bytes, copied, bytes.length - copied, StandardCharsets.UTF_8))
        .toString();
  }

  private static int lengthOf(byte lead) {
    int b = lead & 255;
    return b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
  }

  private record Found(@Nullable String text, int length) {
    static final Found NOTHING = new Found(null, 0);
  }

  private Found find(byte[] bytes, int from, boolean shortest) {
    if (units.length == 0) {
      return Found.NOTHING;
    }
    Found found = Found.NOTHING;
    int at = offset(units[0]);
    for (int i = from; i < bytes.length; i++) {
      int b = bytes[i] & 255;
      at ^= b;
      if (b == 0 || at < 0 || at >= units.length || (units[at] & 0x800000FF) != b) {
        break;
      }
      int unit = units[at];
      at ^= offset(unit);
      if ((unit >>> 8 & 1) != 0) {
        if (at < 0 || at >= units.length) {
          break;
        }
        found = new Found(replacement(units[at] & 0x7FFFFFFF), i - from + 1);
        if (shortest) {
          break;
        }
      }
    }
    return found;
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 1 << 9) >>> 6);
  }

  private String replacement(int place) {
    if (place >= replacements.length) {
      throw new ModelFormatException(
          "the tokenizer's character map points to byte " + place + " of " + replacements.length);
    }
    int end = place;
    while (end < replacements.length && replacements[end] != 0) {
      end++;
    }
    return new String(replacements, place, end - place, StandardCharsets.UTF_8);
  }
}
