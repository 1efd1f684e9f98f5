package io.kvasir.model.tokenizer;

/// The alphabet of byte-level tokenizers: a printable character for each of the 256 bytes, as GPT-2
/// introduced it. Printable Latin-1 stands for itself; the other 68 bytes follow from U+0100 on, so
/// a space is written `Ġ` and a newline `Ċ`.
final class ByteAlphabet {
  private static final char[] TO_CHAR = new char[256];
  private static final short[] TO_BYTE = new short[0x144];

  static {
    java.util.Arrays.fill(TO_BYTE, (short) -1);
    char next = 0x100;
    for (int b = 0; b < 256; b++) {
      boolean itself = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
      TO_CHAR[b] = itself ? (char) b : next++;
      TO_BYTE[TO_CHAR[b]] = (short) b;
    }
  }

  private ByteAlphabet() {}

  /// The character for byte `b` (0 to 255).
  static char charOf(int b) {
    return TO_CHAR[b];
  }

  /// The byte that `c` stands for, or -1.
  static int byteOf(char c) {
    return c < TO_BYTE.length ? TO_BYTE[c] : -1;
  }

  /// `text` in UTF-8, spelled in this alphabet; a lone surrogate counts as U+FFFD.
  static String spell(String text) {
    StringBuilder out = new StringBuilder(text.length() + 8);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        out.append(TO_CHAR[c]);
      } else if (c < 0x800) {
        out.append(TO_CHAR[0xC0 | c >> 6]).append(TO_CHAR[0x80 | c & 63]);
      } else if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        int code = Character.toCodePoint(c, text.charAt(++i));
        out.append(TO_CHAR[0xF0 | code >> 18])
            .append(TO_CHAR[0x80 | code >> 12 & 63])
            .append(TO_CHAR[0x80 | code >> 6 & 63])
            .append(TO_CHAR[0x80 | code & 63]);
      } else {
        int code = Character.isSurrogate(c) ? 0xFFFD : c;
        out.append(TO_CHAR[0xE0 | code >> 12])
            .append(TO_CHAR[0x80 | code >> 6 & 63])
            .append(TO_CHAR[0x80 | code & 63]);
      }
    }
    return out.toString();
  }

  /// The bytes that `spelled` stands for; null where it holds a character outside the alphabet.
  static byte @org.jspecify.annotations.Nullable [] bytes(String spelled) {
    byte[] out = new byte[spelled.length()];
    for (int i = 0; i < out.length; i++) {
      int b = byteOf(spelled.charAt(i));
      if (b < 0) {
        return null;
      }
      out[i] = (byte) b;
    }
    return out;
  }
}
