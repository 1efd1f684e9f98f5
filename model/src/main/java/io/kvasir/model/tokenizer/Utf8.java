package io.kvasir.model.tokenizer;

/// UTF-8, as far as the JDK's `String` does not do it: single code points, and text that comes in
/// parts.
final class Utf8 {
  private Utf8() {}

  /// The UTF-8 bytes of one code point; U+FFFD for a surrogate.
  static byte[] bytes(int c) {
    int code = c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c;
    if (code < 0x80) {
      return new byte[] {(byte) code};
    }
    if (code < 0x800) {
      return new byte[] {(byte) (0xC0 | code >> 6), (byte) (0x80 | code & 63)};
    }
    if (code < 0x10000) {
      return new byte[] {
        (byte) (0xE0 | code >> 12), (byte) (0x80 | code >> 6 & 63), (byte) (0x80 | code & 63)
      };
    }
    return new byte[] {
      (byte) (0xF0 | code >> 18),
      (byte) (0x80 | code >> 12 & 63),
      (byte) (0x80 | code >> 6 & 63),
      (byte) (0x80 | code & 63)
    };
  }

  /// `text` with every lone surrogate replaced by U+FFFD; most often `text` itself.
  static String wellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (i + 1 < text.length()
            && Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1))) {
          i++;
        } else {
          return repaired(text);
        }
      }
    }
    return text;
  }

  private static String repaired(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints().forEach(c -> out.appendCodePoint(c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c));
    return out.toString();
  }

  /// Decodes bytes as they come. A sequence that can no longer become a character is replaced by
  /// one U+FFFD for its longest valid beginning (Unicode 16, section 3.9, "maximal subparts"), as
  /// soon as that is certain.
  static final class Decoder {
    private int code;

    /// How many continuation bytes are still to come, and which values the next one may have.
    private int missing;

    private int lowest;
    private int highest;

    void add(byte[] bytes, StringBuilder out) {
      for (byte b : bytes) {
        add(b & 255, out);
      }
    }

    private void add(int b, StringBuilder out) {
      if (missing > 0) {
        if (b >= lowest && b <= highest) {
          code = code << 6 | b & 63;
          lowest = 0x80;
          highest = 0xBF;
          if (--missing == 0) {
            out.appendCodePoint(code);
          }
          return;
        }
        missing = 0;
        out.append('\uFFFD');
      }
      if (b < 0x80) {
        out.append((char) b);
      } else if (b >= 0xC2 && b <= 0xF4) {
        lowest = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
        highest = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
        missing = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
        code = b & (0x3F >> missing);
      } else {
        out.append('\uFFFD');
      }
    }

    /// Ends the text: an unfinished character becomes U+FFFD.
    void finish(StringBuilder out) {
      if (missing > 0) {
        missing = 0;
        out.append('\uFFFD');
      }
    }
  }
}
