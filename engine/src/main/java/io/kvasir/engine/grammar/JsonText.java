package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonWriter;
import java.math.BigDecimal;

/// The one spelling of a JSON value that the grammars write where the value is fixed.
final class JsonText {
  private JsonText() {}

  /// How character `c` stands within a string where it must be escaped.
  static String escape(int c) {
    return JsonWriter.escape(c);
  }

  static String quoted(String text) {
    return of(new Json.Str(text));
  }

  static String of(Json value) {
    return JsonWriter.write(value, JsonText::real);
  }

  private static String real(double d) {
    if (!Double.isFinite(d)) {
      throw new GrammarException("a number of the schema is beyond the range of a double");
    }
    return Math.abs(d) < 1e15 ? BigDecimal.valueOf(d).toPlainString() : Double.toString(d);
  }
}
