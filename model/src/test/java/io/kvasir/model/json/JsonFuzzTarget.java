package io.kvasir.model.json;

import java.nio.charset.StandardCharsets;

/// An entry for fuzzers that know Jazzer's convention (`--target_class`): any text is JSON, which
/// survives being written and read again, or is refused with a [JsonException].
public final class JsonFuzzTarget {
  private JsonFuzzTarget() {}

  public static void fuzzerTestOneInput(byte[] bytes) {
    read(new String(bytes, StandardCharsets.UTF_8));
  }

  /// Answers whether the text was accepted.
  static boolean read(String text) {
    Json value;
    try {
      value = Json.parse(text);
    } catch (JsonException e) {
      return false;
    }
    String written = value.toText();
    // Not the values themselves: a number beyond f64 is written as null.
    if (!Json.parse(written).toText().equals(written)) {
      throw new IllegalStateException("not the same when read again: " + written);
    }
    return true;
  }
}
