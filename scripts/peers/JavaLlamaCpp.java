import de.kherud.llama.InferenceParameters;
import de.kherud.llama.LlamaIterator;
import de.kherud.llama.LlamaModel;
import de.kherud.llama.ModelParameters;
import de.kherud.llama.args.CacheType;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;

/// Tokens per second of java-llama.cpp (de.kherud:llama 4.2.0), the JVM's usual way to llama.cpp; speed.sh sets it beside the
/// others. Prints what speed.mjs prints. Prompts are text: letters that the random models' vocabularies have one token for.
///
/// ```
/// java -cp 'llama-4.2.0.jar:annotations-24.1.0.jar' JavaLlamaCpp.java MODEL.gguf THREADS PROMPT ANSWER DEPTH,DEPTH [F16|Q8_0|Q4_0]
/// ```
final class JavaLlamaCpp {
  private static final String LETTERS = "cdefghijklmnopqrstuvwxyz";

  private JavaLlamaCpp() {}

  public static void main(String[] args) {
    int threads = Integer.parseInt(args[1]);
    int prompt = Integer.parseInt(args[2]);
    int answer = Integer.parseInt(args[3]);
    int[] depths = Arrays.stream(args[4].split(",")).mapToInt(Integer::parseInt).sorted().toArray();
    String format = args.length > 5 ? args[5] : "F16";
    CacheType type = CacheType.valueOf(format.toUpperCase(Locale.ROOT));
    ModelParameters parameters =
        new ModelParameters()
            .setModel(args[0])
            .setThreads(threads)
            .setThreadsBatch(threads)
            .setCtxSize(depths[depths.length - 1] + prompt + answer + 64)
            .setCacheTypeK(type)
            .setCacheTypeV(type)
            .enableFlashAttn()
            .disableLog();
    String text = text(depths[depths.length - 1], 1);
    try (LlamaModel model = new LlamaModel(parameters)) {
      for (int depth : depths) {
        String filled = text.substring(0, depth);
        generate(model, filled + text(16, 5), 1);
        double[] first = generate(model, filled + text(prompt, 2), 1);
        double[] all = generate(model, filled + text(4, 3), answer + 1);
        System.out.printf(
            Locale.ROOT,
            "{\"depth\": %d, \"format\": \"%s\", \"prompt\": %.3f, \"answer\": %.3f}%n",
            depth, format, prompt / first[0], all[1] / (all[2] - all[0]));
      }
    }
    System.exit(0); // Its threads would keep the process.
  }

  /// Seconds to the first token, tokens after it, seconds to the last one.
  private static double[] generate(LlamaModel model, String prompt, int tokens) {
    InferenceParameters parameters =
        new InferenceParameters(prompt)
            .setNPredict(tokens)
            .setTemperature(0)
            .setIgnoreEos(true)
            .setCachePrompt(true);
    long start = System.nanoTime();
    double first = 0;
    int count = 0;
    for (LlamaIterator it = model.generate(parameters).iterator(); it.hasNext(); ) {
      it.next();
      if (count++ == 0) {
        first = (System.nanoTime() - start) / 1e9;
      }
    }
    return new double[] {first, Math.max(1, count - 1), (System.nanoTime() - start) / 1e9};
  }

  private static String text(int tokens, int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < tokens; i++) {
      text.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
    }
    return text.toString();
  }
}
