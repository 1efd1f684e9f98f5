package io.kvasir.engine.grammar;

import io.kvasir.model.json.Json;
import io.kvasir.model.json.JsonException;
import java.util.LinkedHashSet;
import java.util.List;

/// Compiles grammars for one vocabulary.
///
/// The ideas are those of published work: a language as an automaton whose states say which tokens
/// may come (Outlines, arXiv 2307.09702), a byte-level pushdown automaton whose masks are kept for
/// what does not depend on the stack (XGrammar, arXiv 2411.15100), and one walk over the
/// vocabulary's prefix tree per mask, with compilation kept lazy enough to refuse nothing that is
/// used in practice (the documentation of llguidance).
///
/// Every compilation is bounded in time and memory, whatever its source. Stateless but for the
/// vocabulary; thread-safe.
public final class GrammarCompiler {
  /// The bytes of masks that each grammar may keep.
  public static final long DEFAULT_MASK_CACHE_BYTES = 16L << 20;

  static final String ANY_OBJECT = "{\"type\":\"object\"}";

  private static final int MAX_SOURCE_CHARS = 1 << 20;
  private static final int MAX_SHORTEST_BYTES = 1 << 16;

  private final TokenTrie trie;
  private final long maskCacheBytes;

  /// A compiler whose grammars keep up to [#DEFAULT_MASK_CACHE_BYTES] of masks each.
  public GrammarCompiler(TokenTrie trie) {
    this(trie, DEFAULT_MASK_CACHE_BYTES);
  }

  /// @param maskCacheBytes the bytes of masks that each grammar may keep
  public GrammarCompiler(TokenTrie trie, long maskCacheBytes) {
    this.trie = trie;
    this.maskCacheBytes = maskCacheBytes;
  }

  /// Answers that satisfy a JSON Schema.
  ///
  /// @throws UnsupportedSchemaException where a keyword cannot be guaranteed
  /// @throws GrammarException where the text is no JSON or the schema is too large
  public Grammar jsonSchema(String schema) {
    checkSize(schema.length());
    try {
      return jsonSchema(Json.parse(schema));
    } catch (JsonException e) {
      throw new GrammarException("the schema is " + e.getMessage());
    }
  }

  /// Answers that satisfy a JSON Schema.
  ///
  /// @throws UnsupportedSchemaException where a keyword cannot be guaranteed
  /// @throws GrammarException where the schema is too large
  public Grammar jsonSchema(Json schema) {
    AutomatonBuilder builder = new AutomatonBuilder(new Budget());
    int rule = new SchemaCompiler(builder, schema).compile();
    return finish(builder, rule);
  }

  /// Answers that are any JSON object.
  public Grammar jsonObject() {
    return jsonSchema(ANY_OBJECT);
  }

  /// Answers that a regular expression matches as a whole.
  ///
  /// @throws GrammarException where the pattern is malformed, not regular or too large
  public Grammar regex(String pattern) {
    checkSize(pattern.length());
    Budget budget = new Budget();
    CharDfa dfa = RegexDfa.whole(RegexParser.parse(pattern), budget);
    if (dfa.isEmpty()) {
      throw new GrammarException("no text matches the pattern");
    }
    return plain(dfa, budget);
  }

  /// Answers that are one of `choices`.
  ///
  /// @throws GrammarException where there is none, or they are too large
  public Grammar choice(List<String> choices) {
    if (choices.isEmpty()) {
      throw new GrammarException("the list of choices is empty");
    }
    long chars = 0;
    for (String choice : choices) {
      chars += choice.length();
    }
    checkSize(chars);
    Budget budget = new Budget();
    return plain(CharDfa.texts(List.copyOf(new LinkedHashSet<>(choices)), budget), budget);
  }

  private Grammar plain(CharDfa dfa, Budget budget) {
    AutomatonBuilder builder = new AutomatonBuilder(budget);
    int rule = builder.rule(Counting.NONE);
    int[] states =
        ByteLowering.lower(builder, rule, builder.start(rule), dfa, ByteLowering.Spelling.PLAIN);
    for (int s = 0; s < dfa.states(); s++) {
      if (dfa.label(s) != CharDfa.NO_LABEL) {
        builder.accept(states[s], AutomatonBuilder.ALWAYS);
      }
    }
    return finish(builder, rule);
  }

  private Grammar finish(AutomatonBuilder builder, int rule) {
    Grammar grammar = new Grammar(builder.build(rule, trie.spellable()), trie, maskCacheBytes);
    if (grammar.shortestBytes() > MAX_SHORTEST_BYTES) {
      throw new GrammarException(
          "the shortest answer has more than " + MAX_SHORTEST_BYTES + " bytes");
    }
    return grammar;
  }

  private static void checkSize(long chars) {
    if (chars > MAX_SOURCE_CHARS) {
      throw new GrammarException(
          "the grammar's source has " + chars + " characters, more than " + MAX_SOURCE_CHARS);
    }
  }
}
