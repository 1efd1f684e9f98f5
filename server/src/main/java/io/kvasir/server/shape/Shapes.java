package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.engine.grammar.Grammar;
import io.kvasir.engine.grammar.GrammarCache;
import io.kvasir.engine.grammar.GrammarCompiler;
import io.kvasir.engine.grammar.TokenTrie;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Makes shapes for one model. Compiled grammars are kept for requests that ask for the same again.
public final class Shapes {
  private static final long CACHE_BYTES = 128L << 20;

  private final Tokenizer tokenizer;
  private @Nullable GrammarCache grammars;

  public Shapes(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /// A JSON object.
  public Shape jsonObject() {
    return new GrammarShape(grammars().jsonObject());
  }

  /// JSON that a schema admits.
  ///
  /// @throws io.kvasir.engine.grammar.GrammarException where the schema cannot be guaranteed
  public Shape jsonSchema(Json schema) {
    return new GrammarShape(grammars().jsonSchema(schema.toText()));
  }

  /// Text that a regular expression matches as a whole.
  ///
  /// @throws io.kvasir.engine.grammar.GrammarException where the pattern is malformed or too large
  public Shape regex(String pattern) {
    return new GrammarShape(grammars().regex(pattern));
  }

  /// One of several texts.
  ///
  /// @throws io.kvasir.engine.grammar.GrammarException where there is none, or they are too large
  public Shape choice(List<String> choices) {
    return new GrammarShape(grammars().choice(choices));
  }

  /// Tool calls as `form` says.
  ///
  /// @param call the schema of what stands between the marks
  /// @param content what the answer must be where it calls no tool; null for any text
  public Shape calls(CallForm form, Json call, @Nullable Shape content) {
    return new CallShape(form, jsonSchema(call), content, tokenizer);
  }

  /// Thoughts, then a shape.
  ///
  /// @param open whether the prompt has begun the thoughts; else the answer may begin them
  public Shape afterThoughts(Shape shape, boolean open) {
    return new ThoughtShape(shape, open, tokenizer);
  }

  /// Made at the first need: the vocabulary's tree takes a moment.
  private synchronized GrammarCache grammars() {
    GrammarCache ready = grammars;
    if (ready == null) {
      ready = new GrammarCache(new GrammarCompiler(TokenTrie.of(tokenizer)), CACHE_BYTES);
      grammars = ready;
    }
    return ready;
  }

  private record GrammarShape(Grammar grammar) implements Shape {
    @Override
    public TokenConstraint.Factory within(int maxTokens) {
      return grammar.within(maxTokens);
    }

    @Override
    public long enough() {
      return grammar.shortestBytes();
    }
  }
}
