package io.kvasir.server;

import java.security.SecureRandom;
import java.util.HexFormat;

/// Makes ids that cannot be guessed.
final class Ids {
  private static final int BYTES = 16;
  private static final int SHORT = 9;
  private static final String LETTERS =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  private static final SecureRandom RANDOM = new SecureRandom();

  private Ids() {}

  /// An id such as `cmpl-` and 32 hexadecimal digits.
  static String next(String prefix) {
    byte[] id = new byte[BYTES];
    RANDOM.nextBytes(id);
    return prefix + HexFormat.of().formatHex(id);
  }

  /// Nine letters and digits: the templates of Mistral's models take no other id of a call.
  static String nine() {
    StringBuilder id = new StringBuilder();
    for (int i = 0; i < SHORT; i++) {
      id.append(LETTERS.charAt(RANDOM.nextInt(LETTERS.length())));
    }
    return id.toString();
  }
}
