package io.kvasir.acceptance;

import io.kvasir.compute.Backend;
import io.kvasir.compute.Tensor;
import io.kvasir.compute.cpu.CpuBackend;
import io.kvasir.compute.cuda.CudaBackend;
import io.kvasir.kvcache.format.KvFormat;
import io.kvasir.kvcache.format.KvRecipe;
import io.kvasir.kvcache.format.PlaneKind;
import io.kvasir.model.Model;
import io.kvasir.model.Transformer;
import io.kvasir.model.file.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// What is checked on a machine with a GPU in one go, without a build and without a test framework:
/// `scripts/gpu/check.sh` runs it there. Prints a line for each finding and ends with the number of
/// those that failed.
final class GpuCheck {
  private static final double TOLERANCE = 1e-3;

  /// Recurrent layers have no keys and values to page.
  private static final Set<String> RECURRENT =
      Set.of("mamba2", "falcon_h1", "lfm2", "qwen3_next", "qwen3_5");

  /// A recipe in which layers differ.
  private static final String MIXED = "int4[0,-1=int8]";

  /// Tokens of the prompt that formats are checked with.
  private static final int TOKENS = 200;

  private final Supplier<Backend> cuda;
  private final StringBuilder failures = new StringBuilder();
  private int failed;
  private int passed;

  GpuCheck(Supplier<Backend> cuda) {
    this.cuda = cuda;
  }

  /// `GpuCheck LIBRARY REFERENCE_FOLDER MODEL PART...` with parts golden, cases, formats, greedy,
  /// draw, speed, decode, fast, together, products, experts, llama or mixture with loads of
  /// [GpuSpeed.Load] and `together=` with those of [GpuTogether.Load], load, memory, and those of
  /// [GpuServe#run].
  public static void main(String[] arguments) throws IOException {
    GpuCheck check = new GpuCheck(() -> open(arguments[0], true));
    Supplier<CudaBackend> fast = () -> open(arguments[0], false);
    List<String> parts = List.of(arguments).subList(3, arguments.length);
    if (parts.contains("golden")) {
      check.golden(Path.of(arguments[1]));
    }
    if (parts.contains("cases")) {
      check.golden(Path.of("acceptance/src/test/cases"));
    }
    if (parts.contains("speed")) {
      check.speed(Path.of(arguments[2]), fast);
    }
    if (parts.contains("fast")) {
      check.fast(Path.of(arguments[2]), fast);
    }
    if (parts.contains("decode")) {
      check.decode(Path.of(arguments[2]), arguments[0]);
    }
    if (parts.contains("products")) {
      for (boolean upFirst : new boolean[] {false, true}) {
        double worst = GpuProducts.worst(fast, upFirst);
        check.note(worst < 0.01, "products, up first " + upFirst + ": within " + worst);
      }
    }
    if (parts.contains("llama")) {
      check.random(fast, GpuSpeed.writeLlama(Files.createTempDirectory("llama")), parts);
    }
    if (parts.contains("together")) {
      check.together(Path.of(arguments[2]), arguments[0]);
    }
    if (parts.contains("mixture")) {
      check.random(fast, GpuSpeed.writeMixture(Files.createTempDirectory("mixture")), parts);
    }
    if (parts.contains("experts")) {
      check.experts(Path.of("acceptance/src/test/cases"), arguments[0]);
    }
    if (parts.contains("load")) {
      Path folder = GpuSpeed.writeLlama(Files.createTempDirectory("llama"));
      try {
        GpuServe.load(folder, fast.get());
        GpuServe.load(folder, fast.get());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    if (parts.contains("memory")) {
      check.note(GpuServe.memory(Path.of(arguments[2]), fast.get()), "lack of memory");
    }
    for (String part : parts) {
      if (part.startsWith("serve=") || part.startsWith("restore=")) {
        GpuServe.run(part, fast.get(), Path.of(arguments[2]));
      }
    }
    if (parts.contains("formats")) {
      check.formats(Path.of(arguments[2]));
    }
    if (parts.contains("draw")) {
      check.draw(Path.of(arguments[2]));
    }
    if (parts.contains("greedy")) {
      check.greedy(Path.of(arguments[2]), 20, 48);
    }
    System.out.println(check.failures);
    System.out.printf("%d passed, %d failed%n", check.passed, check.failed);
    System.exit(check.failed == 0 ? 0 : 1);
  }

  static CudaBackend open(String library, boolean exact) {
    return switch (CudaBackend.open(library, 0, exact)) {
      case CudaBackend.Ready ready -> ready.backend();
      case CudaBackend.Unavailable unavailable ->
          throw new IllegalStateException(unavailable.reason());
    };
  }

  private void note(boolean good, String line) {
    System.out.println((good ? "ok   " : "FAIL ") + line);
    if (good) {
      passed++;
    } else {
      failed++;
      failures.append("FAIL ").append(line).append('\n');
    }
  }

  /// Logits, hidden rows and greedy continuations of the published implementations.
  void golden(Path reference) throws IOException {
    List<Path> cases;
    try (Stream<Path> folders = Files.list(reference)) {
      cases =
          folders
              .filter(p -> Files.exists(p.resolve("golden.safetensors")))
              .filter(p -> !RECURRENT.contains(p.getFileName().toString()))
              .sorted()
              .toList();
    }
    for (Path folder : cases) {
      try {
        golden(folder, folder.getFileName().toString());
      } catch (RuntimeException e) {
        note(false, folder.getFileName() + ": " + e);
      }
    }
  }

  private void golden(Path folder, String name) {
    long start = System.nanoTime();
    try (Backend backend = cuda.get();
        SafetensorsFile golden = SafetensorsFile.open(folder.resolve("golden.safetensors"));
        Model model = Model.open(folder, backend, new Transformer.Rows(64, 1), 0)) {
      int[] ids = ints(golden.get("input_ids"));
      int[] greedy = ints(golden.get("greedy_ids"));
      int total = ids.length + greedy.length;
      try (Forward forward = new Forward(model, backend, 16, KvFormat.F32, total)) {
        forward.run(ids, 64);
        double hidden = 0;
        for (int layer = 0; layer < forward.hidden.length; layer++) {
          Tensor expected = golden.find("hidden." + layer);
          if (expected != null) {
            hidden = Math.max(hidden, difference(expected, forward.hidden[layer]));
          }
        }
        double logits = difference(golden.get("logits"), forward.logits);
        int same = 0;
        for (int expected : greedy) {
          same += forward.greedy() == expected ? 1 : 0;
          forward.step(new int[] {expected});
        }
        boolean good = logits <= TOLERANCE && hidden <= TOLERANCE && same == greedy.length;
        note(
            good,
            "%-28s logits %.1e hidden %.1e greedy %d/%d %d ms"
                .formatted(
                    name,
                    logits,
                    hidden,
                    same,
                    greedy.length,
                    (System.nanoTime() - start) / 1_000_000));
      }
    }
  }

  private static int[] ints(Tensor tensor) {
    MemorySegment data = tensor.data();
    int[] values = new int[(int) tensor.elements()];
    boolean wide = tensor.type().blockBytes() == 8;
    for (int i = 0; i < values.length; i++) {
      values[i] =
          wide
              ? (int) data.get(ValueLayout.JAVA_LONG_UNALIGNED, 8L * i)
              : data.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
    }
    return values;
  }

  /// The largest absolute difference; NaN counts as infinite.
  static double difference(Tensor expected, float[][] actual) {
    float[] values = expected.toFloats();
    int columns = (int) expected.columns();
    double worst = 0;
    for (int i = 0; i < values.length; i++) {
      double d = Math.abs(values[i] - actual[i / columns][i % columns]);
      worst = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(worst, d);
    }
    return worst;
  }

  /// Each cache format: logits near those of the processor with the same format, and the same bits
  /// in chunks and in one piece.
  void formats(Path path) {
    for (KvFormat format : KvFormat.ALL) {
      if (format.tileTokens(PlaneKind.KEYS) > 1) {
        continue; // needs exact rows beside, which Forward's layout has none of
      }
      try {
        float[][] expected = logits(new CpuBackend(2), path, format, 64);
        float[][] whole = logits(cuda.get(), path, format, TOKENS);
        float[][] parts = logits(cuda.get(), path, format, 37);
        double away = 0;
        boolean same = true;
        for (int r = 0; r < TOKENS; r++) {
          away += divergence(expected[r], whole[r]) / TOKENS;
          same &= Arrays.equals(whole[r], parts[r]);
        }
        note(
            away < 2e-3 && same,
            "format %-8s against the processor KL %.1e, chunks %s"
                .formatted(format.name(), away, same ? "bit-equal" : "DIFFER"));
      } catch (RuntimeException e) {
        note(false, "format " + format.name() + ": " + e);
      }
    }
  }

  private static float[][] logits(Backend backend, Path path, KvFormat format, int chunk) {
    return logits(backend, path, KvRecipe.of(format), chunk);
  }

  private static float[][] logits(Backend backend, Path path, KvRecipe recipe, int chunk) {
    try (backend;
        Model model = Model.open(path, backend, new Transformer.Rows(256, 1), 0);
        Forward forward = new Forward(model, backend, 64, recipe, TOKENS)) {
      forward.run(prompt(model.transformer().vocabularySize(), TOKENS), chunk);
      return forward.logits;
    }
  }

  private static int[] prompt(int vocabulary, int length) {
    int[] ids = new int[length];
    for (int i = 0; i < length; i++) {
      ids[i] = 5 + (int) ((i * 2654435L + i / 7 * 31L) % (vocabulary - 5));
    }
    return ids;
  }

  /// The same greedy continuations as on the processor.
  void greedy(Path path, int prompts, int tokens) {
    List<int[]> expected = greedy(new CpuBackend(2), path, prompts, tokens);
    long start = System.nanoTime();
    List<int[]> actual = greedy(cuda.get(), path, prompts, tokens);
    double seconds = (System.nanoTime() - start) / 1e9;
    for (int p = 0; p < prompts; p++) {
      int at = Arrays.mismatch(expected.get(p), actual.get(p));
      note(at < 0, "greedy prompt %d %s".formatted(p, at < 0 ? "same" : "differs at token " + at));
    }
    System.out.printf("greedy: %.1f tokens/s, loading included%n", prompts * tokens / seconds);
  }

  private static List<int[]> greedy(Backend backend, Path path, int prompts, int tokens) {
    List<int[]> all = new ArrayList<>();
    try (backend;
        Model model = Model.open(path, backend, new Transformer.Rows(64, 1), 0)) {
      for (int p = 0; p < prompts; p++) {
        int[] ids = prompt(model.transformer().vocabularySize(), 20 + 7 * p);
        try (Forward forward = new Forward(model, backend, 64, KvFormat.F16, ids.length + tokens)) {
          forward.run(ids, 64);
          int[] chosen = new int[tokens];
          for (int i = 0; i < tokens; i++) {
            chosen[i] = forward.greedy();
            forward.step(new int[] {chosen[i]});
          }
          all.add(chosen);
        }
      }
    }
    return all;
  }

  /// Tokens drawn on the device against those that the host draws from the same scores.
  void draw(Path path) {
    try (Backend backend = cuda.get()) {
      for (GpuDraw draw : GpuDraw.of(path, backend, 80)) {
        note(draw.isSame(), "drawn on the device as on the host, rule " + draw.rule());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// The tensor cores' logits against the plain kernels'.
  void fast(Path path, Supplier<CudaBackend> fast) {
    Map<String, KvRecipe> recipes = new LinkedHashMap<>();
    for (KvFormat format : List.of(KvFormat.F16, KvFormat.BF16, KvFormat.INT8, KvFormat.INT4)) {
      recipes.put(format.name() + " alone", KvRecipe.of(format));
    }
    for (String name : List.of("int8+s64t64", "int4", "k8v4", MIXED, "k8v4[0=f16;3=lm3;-1=bf16]")) {
      recipes.put(name, KvRecipe.named(name));
    }
    recipes.forEach((name, recipe) -> {
      try {
        float[][] expected = logits(cuda.get(), path, recipe, TOKENS);
        // A 4-bit code that rounds the other way moves scores a thousand times more than what moved
        // it.
        double bound =
            name.contains("4 ") || name.endsWith("4") || name.contains("[") ? 2e-2 : 1e-3;
        report(bound, name + " prompt", expected, logits(fast.get(), path, recipe, TOKENS));
        report(bound, name + " steps of 1", expected, logits(fast.get(), path, recipe, 1));
        report(bound, name + " steps of 37", expected, logits(fast.get(), path, recipe, 37));
      } catch (RuntimeException e) {
        note(false, "tensor cores " + name + ": " + e);
      }
    });
  }

  /// Steps replayed from graphs against the same kernels queued one by one.
  void decode(Path path, String library) {
    for (String recipe : List.of("f16", "bf16", "int8", "int8+s64t64", "int4", "k8v4", MIXED)) {
      decode(path, recipe, () -> open(library, false), recipe);
    }
  }

  private void decode(Path path, String recipe, Supplier<CudaBackend> opened, String name) {
    try {
      DecodeRun queued = DecodeRun.of(opened.get(), path, recipe, 40, false);
      DecodeRun replayed = DecodeRun.of(opened.get(), path, recipe, 40, true);
      double divergence = 0;
      boolean same = true;
      for (int r = 0; r < queued.logits().length; r++) {
        float[] expected = queued.logits()[r];
        divergence += divergence(expected, replayed.logits()[r]) / queued.logits().length;
        same &= Arrays.equals(expected, replayed.logits()[r]);
      }
      note(
          divergence < 1e-6 && replayed.replays() > 10,
          "decoding steps %-12s %d of 40 replayed, %s, KL %.1e"
              .formatted(name, replayed.replays(), same ? "bit-equal" : "other bits", divergence));
    } catch (RuntimeException e) {
      note(false, "decoding steps " + name + ": " + e);
    }
  }

  /// What sequences share read together against the same read by each.
  void together(Path path, String library) {
    for (String recipe : List.of("f16", "bf16", "int8", "fp8", "int8+s64t64", "int4", "k8v4")) {
      try {
        GpuTogether.Run apart = GpuTogether.run(open(library, false), path, recipe, 40, false);
        GpuTogether.Run shared = GpuTogether.run(open(library, false), path, recipe, 40, true);
        double bound = recipe.contains("4") ? 2e-2 : 1e-3;
        report(bound, recipe + " together", apart.logits(), shared.logits());
        note(
            shared.replays() > 10 && shared.kernels() > apart.kernels(),
            "together %-12s %d of 40 replayed, %d kernels a step, apart %d"
                .formatted(recipe, shared.replays(), shared.kernels(), apart.kernels()));
      } catch (RuntimeException e) {
        note(false, "together " + recipe + ": " + e);
      }
    }
  }

  private void report(double bound, String what, float[][] expected, float[][] actual) {
    double divergence = 0;
    double away = 0;
    int same = 0;
    for (int r = 0; r < expected.length; r++) {
      divergence += divergence(expected[r], actual[r]) / expected.length;
      same += best(expected[r]) == best(actual[r]) ? 1 : 0;
      for (int i = 0; i < expected[r].length; i++) {
        double d = Math.abs(expected[r][i] - actual[r][i]);
        away = Math.max(away, Double.isNaN(d) ? Double.POSITIVE_INFINITY : d);
      }
    }
    note(
        divergence < bound && same >= (1 - 10 * bound) * expected.length,
        "tensor cores %-18s KL %.1e, same best %d/%d, most %.1e"
            .formatted(what, divergence, same, expected.length, away));
  }

  private static int best(float[] row) {
    int best = 0;
    for (int i = 1; i < row.length; i++) {
      best = row[i] > row[best] ? i : best;
    }
    return best;
  }

  private static double divergence(float[] expected, float[] actual) {
    double a = logSum(expected);
    double b = logSum(actual);
    double sum = 0;
    for (int i = 0; i < expected.length; i++) {
      double p = expected[i] - a;
      sum += Math.exp(p) * (p - (actual[i] - b));
    }
    return sum;
  }

  private static double logSum(float[] row) {
    double most = row[best(row)];
    double sum = 0;
    for (float x : row) {
      sum += Math.exp(x - most);
    }
    return most + Math.log(sum);
  }

  /// Tokens a second of the default model, alone and in company.
  void speed(Path path, Supplier<CudaBackend> fast) {
    for (int sequences : new int[] {1, 16, 64}) {
      try (CudaBackend backend = fast.get();
          Model model = Model.open(path, backend, new Transformer.Rows(512, 64), 0)) {
        GpuSpeed.measure(backend, model, new GpuSpeed.Load("f16", sequences, 512, 512, 64));
      }
    }
  }

  /// Tokens a second of a model whose weights are random and made on the device.
  void random(Supplier<CudaBackend> fast, Path folder, List<String> parts) {
    try (CudaBackend backend = fast.get()) {
      backend.randomize(0.03f);
      long start = System.nanoTime();
      try (Model model = Model.open(folder, backend, new Transformer.Rows(2048, 256), 0)) {
        System.out.printf("opened in %.1f s%n", (System.nanoTime() - start) / 1e9);
        for (String part : parts) {
          if (part.startsWith("together=")) {
            String load = part.substring(part.indexOf('=') + 1);
            GpuTogether.measure(backend, model, GpuTogether.Load.of(load));
          } else if (part.contains(":") && !part.contains("=")) {
            backend.captureSteps(!part.endsWith(":queued"));
            GpuSpeed.measure(backend, model, GpuSpeed.Load.of(part));
          }
        }
      }
    }
  }

  /// Mixtures of experts: steps replayed from graphs, and the tensor cores' products against the
  /// plain ones.
  void experts(Path cases, String library) {
    for (String name : List.of("hunyuan_v1_moe", "bailing_moe_v2", "phimoe", "llama4_text")) {
      for (boolean exact : new boolean[] {true, false}) {
        decode(cases.resolve(name), "f16", () -> open(library, exact), name);
      }
    }
    for (GpuExperts.Difference difference : GpuExperts.compare(cuda, () -> open(library, false))) {
      note(difference.isSmall(), difference.toString());
    }
  }
}
