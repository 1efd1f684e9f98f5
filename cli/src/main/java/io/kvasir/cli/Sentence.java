package io.kvasir.cli;

import io.kvasir.cli.load.LoadException;
import io.kvasir.engine.PromptTooLongException;
import io.kvasir.kvcache.format.LayerNumberException;
import io.kvasir.model.UnsupportedModelException;
import io.kvasir.model.file.ModelFormatException;
import io.kvasir.model.hub.HubException;
import io.kvasir.model.json.JsonException;
import io.kvasir.model.template.TemplateException;
import io.kvasir.sim.TraceFormatException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/// Says in one sentence what a failure means to the person who typed the command.
final class Sentence {
  private Sentence() {}

  static String of(Throwable failure) {
    Throwable cause = Main.unwrap(failure);
    String message = cause.getMessage();
    String said = message == null || message.isBlank() ? cause.getClass().getSimpleName() : message;
    return switch (cause) {
      case UsageException e -> said;
      case FailureException e -> said;
      case ModelFormatException e -> said;
      case JsonException e -> said;
      case UnsupportedModelException e -> said;
      case HubException e -> said;
      case TraceFormatException e -> said;
      case LoadException e -> said;
      case TemplateException e -> "the chat template says: " + said;
      case PromptTooLongException e -> said;
      case LayerNumberException e -> said;
      case NoSuchFileException e -> "there is no file '" + e.getFile() + "'";
      case AccessDeniedException e -> "no permission to use '" + e.getFile() + "'";
      case FileSystemException e -> "cannot use '" + e.getFile() + "': " + reason(e);
      case IOException e -> "input or output failed: " + said;
      case OutOfMemoryError e ->
          "out of memory ("
              + said
              + "); use a shorter --context, a smaller model, or more memory with "
              + "KVASIR_JAVA_OPTS=-Xmx...";
      default ->
          "internal error, "
              + cause.getClass().getSimpleName()
              + ": "
              + said
              + " (run again with -v for the stack trace)";
    };
  }

  private static String reason(FileSystemException e) {
    String reason = e.getReason();
    return reason == null ? e.getClass().getSimpleName() : reason;
  }
}
