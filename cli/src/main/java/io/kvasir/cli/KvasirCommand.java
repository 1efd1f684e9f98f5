package io.kvasir.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/// `kvasir` itself: with nothing to do it shows, on one screen, what it can do.
@Command(
    name = "./kvasir",
    header = "Kvasir runs language models on the JVM, built around their key-value cache.",
    synopsisHeading = "%nUsage: ",
    customSynopsis = "./kvasir COMMAND [OPTIONS]",
    commandListHeading = "%nCommands:%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  ./kvasir tokenize models/kvasir-stories/*.gguf \"Once upon a time\"",
      "  ./kvasir COMMAND --help",
      "",
      "MODEL is a GGUF file, a Hugging Face folder, the name of a pulled model, or",
      "nothing for the model that comes with Kvasir. build and test are commands of",
      "the launcher: ./kvasir build, ./kvasir test [MAVEN OPTIONS]."
    },
    versionProvider = KvasirCommand.Version.class)
final class KvasirCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Spec CommandSpec spec;
  @Mixin CommonOptions common;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version.")
  boolean version;

  KvasirCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
    this.common = new CommonOptions();
    this.spec = CommandSpec.create();
  }

  @Override
  public Integer call() {
    spec.commandLine().usage(surroundings.out());
    return Main.OK;
  }

  /// The whole command line with all commands.
  static CommandLine commandLine(Surroundings surroundings) {
    CommandLine line = new CommandLine(new KvasirCommand(surroundings));
    commands(surroundings).forEach(line::addSubcommand);
    line.setOut(new PrintWriter(surroundings.out(), true, StandardCharsets.UTF_8));
    line.setErr(new PrintWriter(surroundings.err(), true, StandardCharsets.UTF_8));
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setUsageHelpAutoWidth(surroundings.outputIsTerminal());
    line.setParameterExceptionHandler((wrong, args) -> wrongUsage(wrong, surroundings, args));
    line.setExecutionExceptionHandler((failure, command, parsed) ->
        Main.report(
            failure,
            surroundings,
            CommonOptions.verbose(parsed.originalArgs().toArray(String[]::new))));
    return line;
  }

  private static Map<String, Object> commands(Surroundings surroundings) {
    Map<String, Object> commands = new LinkedHashMap<>();
    commands.put("run", new RunCommand(surroundings));
    commands.put("serve", new ServeCommand(surroundings));
    commands.put("inspect", new InspectCommand(surroundings));
    commands.put("plan", new PlanCommand(surroundings));
    commands.put(
        "bench",
        new CommandLine(new BenchCommand(surroundings))
            .addSubcommand("serve", new BenchServeCommand(surroundings)));
    commands.put("eval", new EvalCommand(surroundings));
    commands.put("train-pruner", new TrainPrunerCommand(surroundings));
    commands.put("sim", new SimCommand(surroundings));
    commands.put("pull", new PullCommand(surroundings));
    commands.put("tokenize", new TokenizeCommand(surroundings));
    commands.put("template", new TemplateCommand(surroundings));
    commands.put("logits", new LogitsCommand(surroundings));
    commands.put("quantize", new QuantizeCommand(surroundings));
    return commands;
  }

  private static int wrongUsage(
      ParameterException wrong, Surroundings surroundings, String... args) {
    String name = wrong.getCommandLine().getCommandSpec().qualifiedName();
    surroundings.err().println("kvasir: " + describe(wrong) + "; see " + name + " --help");
    if (CommonOptions.verbose(args)) {
      wrong.printStackTrace(surroundings.err());
    }
    return Main.WRONG_USAGE;
  }

  private static String describe(ParameterException wrong) {
    if (wrong instanceof UnmatchedArgumentException unmatched) {
      String argument = unmatched.getUnmatched().getFirst();
      String kind =
          unmatched.isUnknownOption()
              ? "unknown option "
              : wrong.getCommandLine().getParent() == null
                  ? "unknown command "
                  : "too many words: ";
      List<String> suggestions = unmatched.getSuggestions();
      return kind
          + argument
          + (suggestions.isEmpty()
              ? ""
              : ", did you mean " + String.join(" or ", suggestions) + "?");
    }
    String message = String.valueOf(wrong.getMessage()).strip();
    String firstLine = message.lines().findFirst().orElse(message);
    return firstLine.substring(0, 1).toLowerCase(Locale.ROOT) + firstLine.substring(1);
  }

  /// The version in the manifest of the jar.
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = KvasirCommand.class.getPackage().getImplementationVersion();
      return new String[] {"Kvasir " + (version == null ? "(not from a jar)" : version)};
    }
  }
}
