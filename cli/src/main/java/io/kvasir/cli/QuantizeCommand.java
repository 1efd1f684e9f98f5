package io.kvasir.cli;

import io.kvasir.compute.quant.TensorType;
import io.kvasir.model.ModelConversion;
import io.kvasir.model.file.Quantizer;
import io.kvasir.model.plan.ConfigShape;
import io.kvasir.model.plan.Sizes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `kvasir quantize`: writes a model as GGUF in another number format.
@Command(
    name = "quantize",
    description = {
      "Write a model as a GGUF file in another number format.",
      "Its matrices become q8_0, q4_0, mxfp4 or f16, for example; norms, biases and routers stay f32."
    })
final class QuantizeCommand implements Callable<Integer> {
  private final Surroundings surroundings;

  @Mixin CommonOptions common = new CommonOptions();

  @Parameters(
      index = "0",
      paramLabel = "IN",
      description = "A GGUF file, a Hugging Face folder or a pulled name.")
  private String in = "";

  @Parameters(index = "1", paramLabel = "OUT", description = "The GGUF file to write.")
  private Path out = Path.of("");

  @Parameters(index = "2", paramLabel = "TYPE", description = "The number format, such as q8_0.")
  private String type = "";

  @Option(names = "--force", description = "Replace OUT where it exists.")
  private boolean force;

  QuantizeCommand(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  @Override
  public Integer call() throws IOException {
    TensorType target = target();
    if (Files.exists(out) && !force) {
      throw new FailureException("'" + out + "' exists; give another OUT, or --force");
    }
    Path source = ModelLocation.resolve(in, surroundings).path();
    Quantizer.Report report;
    try (ProgressLine line = new ProgressLine(surroundings)) {
      Quantizer quantizer =
          new Quantizer(target, done -> line.show(done.name() + "  as " + done.to()));
      report = ModelConversion.convert(source, out, quantizer);
    }
    surroundings.out().println(summary(report));
    return Main.OK;
  }

  private TensorType target() {
    TensorType target;
    try {
      target = ConfigShape.weightFormat(type);
    } catch (IllegalArgumentException e) {
      throw new UsageException(String.valueOf(e.getMessage()));
    }
    if (!Quantizer.writable().contains(target)) {
      throw new UsageException(
          "models cannot be written as '%s'; choose one of %s"
              .formatted(type, Quantizer.writable())
              .toLowerCase(Locale.ROOT));
    }
    return target;
  }

  /// What was written, and where the values changed most.
  private String summary(Quantizer.Report report) {
    double worst = 0;
    String where = "";
    for (Quantizer.TensorReport tensor : report.tensors()) {
      if (tensor.relativeError() > worst) {
        worst = tensor.relativeError();
        where = tensor.name();
      }
    }
    String change =
        where.isEmpty()
            ? "no value changed"
            : String.format(Locale.ROOT, "largest relative error %.4f in %s", worst, where);
    return "%s: %s in %s, %s"
        .formatted(out, Sizes.bytes(report.fileBytes()), type.toLowerCase(Locale.ROOT), change);
  }
}
