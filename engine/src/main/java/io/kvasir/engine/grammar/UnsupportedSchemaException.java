package io.kvasir.engine.grammar;

/// A JSON Schema asks for what cannot be guaranteed here.
public final class UnsupportedSchemaException extends GrammarException {
  private static final long serialVersionUID = 1L;

  private final String keyword;
  private final String pointer;

  /// @param keyword the keyword at fault
  /// @param pointer the JSON pointer of the schema that holds it, `#` for the root
  /// @param why the rest of the sentence
  public UnsupportedSchemaException(String keyword, String pointer, String why) {
    super("the schema's keyword \"" + keyword + "\" at " + pointer + " " + why);
    this.keyword = keyword;
    this.pointer = pointer;
  }

  /// The keyword at fault.
  public String keyword() {
    return keyword;
  }

  /// The JSON pointer of the schema that holds the keyword, `#` for the root.
  public String pointer() {
    return pointer;
  }
}
