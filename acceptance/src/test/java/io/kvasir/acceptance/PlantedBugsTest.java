package io.kvasir.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Bugs that a cache could have, planted one at a time into its real sources: each must die in the
/// random exercise of the cache, with a seed. So the exercise is known to see what it is there for.
final class PlantedBugsTest {
  private static final Path ROOT = Path.of(System.getProperty("kvasir.root", ".."));
  private static final Path MAIN = ROOT.resolve("kvcache/src/main/java");
  private static final Path TESTS = ROOT.resolve("kvcache/src/test/java/io/kvasir/kvcache");
  private static final int SEEDS = 60;
  private static final int OPERATIONS = 1_500;
  private static final long MOST_SECONDS = 120;

  @TempDir Path folder;

  /// @param name what is wrong
  /// @param file source file below the package
  /// @param original text that occurs once
  /// @param planted what stands there instead
  record Bug(String name, String file, String original, String planted) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Bug> bugs() {
    return Stream.of(
        new Bug(
            "the hash alone decides a hit",
            "PrefixTree.java",
            "if (hash[at] == key && parent[at] == node && holds(at, sequence, from)) {\n"
                + "        return at;",
            "if (hash[at] == key) {\n        return at;"),
        new Bug(
            "the newest child is taken without comparing tokens",
            "PrefixTree.java",
            "kind[newest] == INDEXED && holds(newest, sequence, from)",
            "kind[newest] == INDEXED"),
        new Bug(
            "the past is not compared, only the block",
            "PrefixTree.java",
            "if (hash[at] == key && parent[at] == node && holds(at, sequence, from)) {\n"
                + "        return at;",
            "if (hash[at] == key && holds(at, sequence, from)) {\n        return at;"),
        new Bug(
            "a twin's own block is leaked",
            "PrefixCache.java",
            "table.replace(group, index, theirs);\n    pool.free(own);",
            "table.replace(group, index, theirs);"),
        new Bug("a twin is not pinned", "PrefixCache.java", "pin(twin);\n    unpin(tip);\n", ""),
        new Bug(
            "blocks in use are freed early",
            "PrefixCache.java",
            "if (!tree.drop(at) || root) {",
            "tree.drop(at);\n      if (root) {"),
        new Bug(
            "a pin stops below the parent",
            "PrefixCache.java",
            "at = tree.above(at);\n    }\n  }\n\n  private void acquired",
            "break;\n    }\n  }\n\n  private void acquired"),
        new Bug(
            "the last prompt token is matched",
            "TableHoldings.java",
            "match.find(table.tip(), tokens, tokens.length - 1);",
            "match.find(table.tip(), tokens, tokens.length);"),
        new Bug(
            "salts share one root",
            "PrefixTree.java",
            "Integer known = roots.get(name);",
            "Integer known = roots.isEmpty() ? null : roots.values().iterator().next();"),
        new Bug(
            "a fork writes into the block it shares",
            "TableHoldings.java",
            "storage.copy(source.block(g, full), copy);\n        fork.append(g, copy);",
            "pool.free(copy);\n        fork.append(g, source.block(g, full));"),
        new Bug(
            "a partial hit forgets to copy",
            "TableHoldings.java",
            "storage.copy(tree.block(node, group), copy);",
            ""),
        new Bug(
            "a partial hit is not held while it is copied",
            "TableHoldings.java",
            "    prefixes.hold(node);\n    boolean room",
            "    boolean room"),
        new Bug(
            "a window hit ignores a block that is gone",
            "PrefixMatch.java",
            "if (run[group] < pathLength - first && cache.isWindow(group)) {",
            "if (run[group] < pathLength - first - 1 && cache.isWindow(group)) {"),
        new Bug(
            "a window block that a table holds can be evicted",
            "WindowBlocks.java",
            "    holders[block]++;\n    tighten(block);",
            "    holders[block]++;"),
        new Bug(
            "an evicted node stays in the index",
            "PrefixTree.java",
            "    if (kind[node] == INDEXED) {\n      unindex(node);\n    }\n    int before",
            "    int before"),
        new Bug(
            "idle blocks are counted twice",
            "PrefixCache.java",
            "idleBlocks += steadyGroups(tree.depth(at));",
            "idleBlocks += 2 * steadyGroups(tree.depth(at));"),
        new Bug(
            "a bounded group takes blocks behind its limit",
            "LayerGroup.java",
            "Math.min(positions, limit)",
            "positions"),
        new Bug(
            "a bounded block is not counted as cached",
            "PrefixCache.java",
            "steady += bounded && keeps(group, index) ? 1 : 0;",
            ""),
        new Bug(
            "a promotion forgets the exact copies of the first rows",
            "Promotion.java",
            "|| firstBlock + place < group",
            "|| 1_000 + place < group"),
        new Bug(
            "kept rows of two heads share a page",
            "PrunedPages.java",
            "firstPage[at] = pages.count();",
            "firstPage[at] = 0;"),
        new Bug(
            "pages of one block lie over each other",
            "PagePlaces.java",
            "used[at] += sizes[s];",
            "used[at] += sizes[s] / 2;"),
        new Bug(
            "a fork does not hold the pages of the pruned table",
            "TablePruning.java",
            "pages.hold();\n",
            ""),
        new Bug(
            "pages outlive the last pruned table",
            "TablePruning.java",
            "    pages.forEachBlock(pool::free);\n",
            ""),
        new Bug(
            "what a pruned sequence computes is found by others",
            "KvCache.java",
            "int from = table.pages() == null ? table.length() / layout.blockTokens() : full;",
            "int from = table.length() / layout.blockTokens();"),
        new Bug(
            "a pruned table goes on with a block of the tree",
            "TablePruning.java",
            "to.append(g, copy(block, into, ids.getAsInt()));",
            "to.append(g, block);"),
        new Bug(
            "pruning again forgets that rows have moved",
            "PageWriter.java",
            "slot = old % blockTokens;",
            "slot = position % blockTokens;"),
        new Bug(
            "kept rows are lost where pruning has to free blocks first",
            "TablePruning.java",
            "    storage.write(block, stage.view(staged));\n",
            ""),
        new Bug(
            "pruning copies keys only",
            "PageWriter.java",
            "if (kv.valueDim() > 0) {",
            "if (kv.valueDim() > 1000) {"),
        new Bug(
            "rewinding a pruned table brings back what is gone",
            "TablePruning.java",
            "if (length < pages.tokens() || !windowsServe(table, length)) {",
            "if (!windowsServe(table, length)) {"),
        new Bug(
            "rewinding keeps writing into the shared block",
            "TableHoldings.java",
            "if (!prefixes.isHeldOnce(node) || room && !tree.isHidden(node)) {",
            "if (false) {"),
        new Bug(
            "a sequence that ends frees blocks that a tier still fills",
            "KvCache.java",
            "promotion.abandon();",
            "end(table);"),
        new Bug(
            "more is taken from a tier than was read",
            "Promotion.java",
            "return windows.count == 0 || load(windows) == windows.count ? loaded : 0;",
            "return served;"),
        new Bug(
            "a stored block's name forgets its past",
            "tier/PrefixKeys.java",
            "input.putLong(past.high()).putLong(past.low());",
            "input.putLong(0).putLong(0);"),
        new Bug(
            "a stored block's name forgets the salt",
            "tier/PrefixKeys.java",
            "fingerprint + \"\\0\" + salt;",
            "fingerprint;"),
        new Bug(
            "a staged copy is taken after the block was given away",
            "tier/Offloader.java",
            "device.read(block, slot);\n    staged.incrementAndGet();\n    writers.execute(() -> write(key, slot, wanted));",
            "writers.execute(\n        () -> {\n          device.read(block, slot);\n          write(key, slot, wanted);\n        });"));
  }

  @ParameterizedTest
  @MethodSource("bugs")
  void exercise_bugPlanted_failsWithASeed(Bug bug) throws Exception {
    Path file = MAIN.resolve("io/kvasir/kvcache").resolve(bug.file());
    String source = Files.readString(file);
    assertThat(source.split(Pattern.quote(bug.original()), -1))
        .as("the place of the bug \"%s\"", bug)
        .hasSize(2);
    String message = exercise(file, source.replace(bug.original(), bug.planted()));
    assertThat(message).contains("seed ");
  }

  @Test
  void exercise_noBugPlanted_passes() throws Exception {
    Path file = MAIN.resolve("io/kvasir/kvcache/KvCache.java");
    assertThat(exercise(file, Files.readString(file))).isEmpty();
  }

  /// Compiles the cache with one file replaced and runs the exercise on it, in a process of its own
  /// that can be ended.
  ///
  /// @return how it failed; empty where it did not
  private String exercise(Path replaced, String source) throws Exception {
    compile(replaced, source);
    Path output = folder.resolve("output");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-cp",
                folder.toString(),
                "io.kvasir.kvcache.CacheExercise",
                "0",
                "" + SEEDS,
                "" + OPERATIONS)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    if (!process.waitFor(MOST_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
      return "a seed from 0 to " + SEEDS + " does not end";
    }
    return process.exitValue() == 0 ? "" : Files.readString(output);
  }

  private void compile(Path replaced, String source) throws IOException {
    List<JavaFileObject> units = new ArrayList<>();
    try (Stream<Path> files = Files.walk(MAIN)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
        if (!file.endsWith("module-info.java")) {
          units.add(new Unit(file, file.equals(replaced) ? source : Files.readString(file)));
        }
      }
    }
    for (String name :
        List.of("CacheExercise.java", "MapTier.java", "ViewCheck.java", "RowModel.java")) {
      units.add(new Unit(TESTS.resolve(name), Files.readString(TESTS.resolve(name))));
    }
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    List<String> options =
        List.of(
            "-proc:none", "-d", folder.toString(), "-cp", System.getProperty("java.class.path"));
    boolean done = compiler.getTask(messages, null, null, options, null, units).call();
    assertThat(done).as(messages.toString()).isTrue();
  }

  private static final class Unit extends SimpleJavaFileObject {
    private final String source;

    Unit(Path file, String source) {
      super(URI.create("source:///" + file.getFileName()), Kind.SOURCE);
      this.source = source;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return source;
    }
  }
}
