package io.kvasir.model.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/// The escapes in which RWKV vocabularies write bytes: `\t`, `\n`, `\r`, `\xHH`, and a backslash
/// before any other character for itself.
final class RwkvEscapes {
  private RwkvEscapes() {}

  /// The bytes of `token`, spelled in the byte alphabet.
  static String spelled(String token) {
    byte[] in = token.getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = 0; i < in.length; ) {
      byte b = in[i++];
      if (b != '\\' || i == in.length) {
        bytes.write(b);
        continue;
      }
      byte escaped = in[i++];
      switch (escaped) {
        case 't' -> bytes.write('\t');
        case 'n' -> bytes.write('\n');
        case 'r' -> bytes.write('\r');
        case 'x' -> {
          int high = i + 1 < in.length ? Character.digit(in[i], 16) : -1;
          int low = i + 1 < in.length ? Character.digit(in[i + 1], 16) : -1;
          if (high >= 0 && low >= 0) {
            bytes.write(high << 4 | low);
            i += 2;
          } else {
            bytes.write('x');
          }
        }
        default -> bytes.write(escaped);
      }
    }
    StringBuilder out = new StringBuilder();
    for (byte b : bytes.toByteArray()) {
      out.append(ByteAlphabet.charOf(b & 255));
    }
    return out.toString();
  }
}
