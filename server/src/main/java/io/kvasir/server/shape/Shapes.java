package io.kvasir.server.shape;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.engine.grammar.Grammar;
import io.kvasir.engine.grammar.GrammarCompiler;
import io.kvasir.engine.grammar.TokenTrie;
import io.kvasir.model.json.Json;
import io.kvasir.model.tokenizer.Tokenizer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Makes shapes for one model. Compiled grammars are kept for requests that ask for the same again.
public final class Shapes {
  private static final int KEPT = 16;
  private static final long MASK_BYTES = 4L << 20;

  private final Tokenizer tokenizer;
  private final Map<String, Grammar> kept =
      new LinkedHashMap<>(KEPT, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Grammar> eldest) {
          return size() > KEPT;
        }
      };
  private @Nullable GrammarCompiler compiler;

  public Shapes(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /// A JSON object.
  public Shape jsonObject() {
    return grammar("object", () -> compiler().jsonObject());
  }

  /// JSON that a schema admits.
  ///
  /// @throws io.kvasir.engine.grammar.GrammarException where the schema cannot be guaranteed
  public Shape jsonSchema(Json schema) {
    return grammar("schema " + schema.toText(), () -> compiler().jsonSchema(schema));
  }

  /// Text that a regular expression matches as a whole.
  ///
  /// @throws io.kvasir.engine.grammar.GrammarException where the pattern is malformed or too large
  public Shape regex(String pattern) {
    return grammar("regex " + pattern, () -> compiler().regex(pattern));
  }

  /// One of several texts.
  ///
  /// @throws io.kvasir.engine.grammar.GrammarException where there is none, or they are too large
  public Shape choice(List<String> choices) {
    return grammar("choice " + choices, () -> compiler().choice(choices));
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

  private Shape grammar(String key, Supplier<Grammar> compile) {
    Grammar grammar;
    synchronized (kept) {
      grammar = kept.get(key);
    }
    if (grammar == null) {
      grammar = compile.get();
      synchronized (kept) {
        kept.put(key, grammar);
      }
    }
    return new GrammarShape(grammar);
  }

  private synchronized GrammarCompiler compiler() {
    GrammarCompiler ready = compiler;
    if (ready == null) {
      ready = new GrammarCompiler(TokenTrie.of(tokenizer), MASK_BYTES);
      compiler = ready;
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
