package io.kvasir.bench;

import io.kvasir.engine.TokenConstraint;
import io.kvasir.engine.grammar.Grammar;
import io.kvasir.engine.grammar.GrammarCompiler;
import io.kvasir.engine.grammar.TokenTrie;
import io.kvasir.model.file.GgufFile;
import io.kvasir.model.tokenizer.Tokenizer;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// What constrained decoding costs per token: `GrammarTime TOKENIZER [VOCABULARY]`, a GGUF file or
/// a folder. A vocabulary larger than the tokenizer's is filled up with pairs of its tokens.
///
/// Draws answers at random under each grammar and takes the time of each mask with its token's
/// acceptance: cold in the first answer of a fresh grammar (the thread's own time), warm after 30
/// answers.
public final class GrammarTime {
  private static final int MAX_TOKENS = 200;
  private static final int COLD_ROUNDS = 10;
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private GrammarTime() {}

  public static void main(String[] args) {
    List<byte @Nullable []> tokens = tokens(Path.of(args[0]));
    int size = args.length > 1 ? Integer.parseInt(args[1]) : tokens.size();
    SplittableRandom random = new SplittableRandom(1);
    while (tokens.size() < size) {
      byte[] a = tokens.get(random.nextInt(tokens.size()));
      byte[] b = tokens.get(random.nextInt(tokens.size()));
      tokens.add(a == null || b == null || a.length + b.length > 16 ? null : joined(a, b));
    }
    long start = System.nanoTime();
    TokenTrie trie = TokenTrie.of(tokens);
    System.out.printf(
        "vocabulary %,d, trie %.0f ms, %.1f MiB%n",
        tokens.size(), (System.nanoTime() - start) / 1e6, trie.bytes() / 1048576.0);
    for (int round = 0; round < 2; round++) { // the first round warms up the JIT
      for (Map.Entry<String, String> e : schemas().entrySet()) {
        measure(e.getKey(), e.getValue(), trie, round == 1);
      }
    }
  }

  private static Map<String, String> schemas() {
    Map<String, String> out = new LinkedHashMap<>();
    out.put("json_object", "{\"type\":\"object\"}");
    out.put(
        "form",
        """
        {"type":"object","properties":{"name":{"type":"string","maxLength":40},
         "age":{"type":"integer","minimum":0,"maximum":150},"mail":{"type":"string",
         "format":"email"},"tags":{"type":"array","items":{"enum":["a","b","c"]},"maxItems":5},
         "note":{"type":"string"}},"required":["name","age","mail","tags"]}\
        """);
    out.put(
        "tree",
        """
        {"$defs":{"n":{"type":"object","properties":{"text":{"type":"string","maxLength":20},
         "kids":{"type":"array","items":{"$ref":"#/$defs/n"}}},"required":["text","kids"]}},
         "$ref":"#/$defs/n"}\
        """);
    out.put(
        "calls",
        """
        {"type":"array","minItems":1,"maxItems":4,"items":{"oneOf":[
         {"type":"object","properties":{"tool":{"const":"search"},"query":{"type":"string"}},
          "required":["tool","query"]},
         {"type":"object","properties":{"tool":{"const":"move"},"x":{"type":"number"},
          "y":{"type":"number"}},"required":["tool","x","y"]}]}}\
        """);
    return out;
  }

  private static void measure(String name, String schema, TokenTrie trie, boolean print) {
    GrammarCompiler compiler = new GrammarCompiler(trie);
    long start = System.nanoTime();
    Grammar grammar = compiler.jsonSchema(schema);
    double compile = (System.nanoTime() - start) / 1e3;
    double[] cold = {};
    for (int i = 0; i < COLD_ROUNDS; i++) {
      cold = joined(cold, answer(compiler.jsonSchema(schema), trie.vocabularySize(), i, true));
    }
    for (int i = 1; i <= 30; i++) {
      answer(grammar, trie.vocabularySize(), i, false);
    }
    double[] all = {};
    for (int i = 1; i <= 30; i++) {
      all = joined(all, answer(grammar, trie.vocabularySize(), i, false));
    }
    if (print) {
      System.out.printf(
          "%-12s compile %,7.0f us; mask + accept, us: cold mean %,7.1f p99 %,8.1f max %,8.1f; warm mean %6.2f"
              + " p50 %6.2f p99 %7.2f max %,8.1f; masks %.1f MiB%n",
          name,
          compile,
          mean(cold),
          quantile(cold, 0.99),
          max(cold),
          mean(all),
          quantile(all, 0.5),
          quantile(all, 0.99),
          max(all),
          grammar.maskBytes() / 1048576.0);
    }
  }

  /// Draws an answer and returns the microseconds of each of its tokens.
  ///
  /// @param cpu whether the thread's own time counts, which other work on the machine does not
  ///   change but which is too coarse for less than some microseconds
  private static double[] answer(Grammar grammar, int vocabulary, long seed, boolean cpu) {
    SplittableRandom random = new SplittableRandom(seed);
    TokenConstraint constraint = grammar.start();
    double[] micros = new double[MAX_TOKENS];
    int n = 0;
    while (n < MAX_TOKENS) {
      long start = now(cpu);
      long[] mask = constraint.allowed();
      boolean mayEnd = constraint.mayEnd();
      long took = now(cpu) - start;
      int token = pick(mask, vocabulary, random);
      if (token < 0 || mayEnd && random.nextInt(4) == 0) {
        break;
      }
      start = now(cpu);
      constraint.accept(token);
      micros[n++] = (took + now(cpu) - start) / 1e3;
    }
    return Arrays.copyOf(micros, n);
  }

  private static long now(boolean cpu) {
    return cpu ? THREADS.getCurrentThreadCpuTime() : System.nanoTime();
  }

  private static int pick(long[] mask, int vocabulary, SplittableRandom random) {
    int count = 0;
    for (long word : mask) {
      count += Long.bitCount(word);
    }
    int left = count == 0 ? -1 : random.nextInt(count);
    for (int t = 0; t < vocabulary && left >= 0; t++) {
      if ((mask[t >> 6] >> t & 1) != 0 && left-- == 0) {
        return t;
      }
    }
    return -1;
  }

  private static List<byte @Nullable []> tokens(Path path) {
    Tokenizer tokenizer;
    if (path.toString().endsWith(".gguf")) {
      try (GgufFile file = GgufFile.open(path)) {
        tokenizer = Tokenizer.fromGguf(file.metadata().forTokenizer());
      }
    } else {
      tokenizer = Tokenizer.fromFolder(path);
    }
    List<byte @Nullable []> out = new ArrayList<>();
    for (int t = 0; t < tokenizer.vocabularySize(); t++) {
      out.add(tokenizer.isSpecial(t) ? null : tokenizer.bytes(t));
    }
    return out;
  }

  private static double[] joined(double[] a, double[] b) {
    double[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }

  private static byte[] joined(byte[] a, byte[] b) {
    byte[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElse(0);
  }

  private static double max(double[] values) {
    return Arrays.stream(values).max().orElse(0);
  }

  private static double quantile(double[] values, double q) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted.length == 0 ? 0 : sorted[(int) (q * (sorted.length - 1))];
  }
}
