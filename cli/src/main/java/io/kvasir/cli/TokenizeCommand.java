package io.kvasir.cli;

import io.kvasir.model.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir tokenize`: how a model cuts a text into tokens.
@Command(
    name = "tokenize",
    description = "Show how a model cuts a text into tokens: one line per token, or only the ids.")
final class TokenizeCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description = "A GGUF file (a vocabulary alone suffices) or a folder with tokenizer.json.")
  private String model = "";

  @Parameters(index = "1", paramLabel = "TEXT", description = "The text; - reads standard input.")
  private String text = "";

  @Option(names = "--ids", description = "Print only the ids, on one line.")
  private boolean idsOnly;

  @Option(
      names = "--special",
      description =
          "Add the BOS and EOS that the model asks for, and recognise special tokens in TEXT.")
  private boolean special;

  TokenizeCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException {
    Tokenizer tokenizer = ModelTokenizer.open(model, surroundings);
    String input =
        text.equals("-")
            ? new String(surroundings.in().readAllBytes(), StandardCharsets.UTF_8)
            : text;
    int[] ids = special ? tokenizer.encodeWithSpecials(input) : tokenizer.encode(input);
    if (idsOnly) {
      surroundings
          .out()
          .println(Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
    } else {
      for (int id : ids) {
        surroundings.out().printf("%7d  '%s'%n", id, printable(tokenizer, id));
      }
    }
    return Main.OK;
  }

  /// The text of one token on one line; bytes that are no whole character as `<0xE2>`.
  private static String printable(Tokenizer tokenizer, int id) {
    if (tokenizer.isSpecial(id)) {
      return tokenizer.piece(id);
    }
    byte[] bytes = tokenizer.bytes(id);
    String decoded = new String(bytes, StandardCharsets.UTF_8);
    StringBuilder line = new StringBuilder();
    if (decoded.indexOf('\uFFFD') >= 0) {
      for (byte value : bytes) {
        line.append(String.format("<0x%02X>", value & 0xFF));
      }
      return line.toString();
    }
    decoded
        .codePoints()
        .forEach(c -> {
          switch (c) {
            case '\n' -> line.append("\\n");
            case '\r' -> line.append("\\r");
            case '\t' -> line.append("\\t");
            default -> line.appendCodePoint(c);
          }
        });
    return line.toString();
  }
}
