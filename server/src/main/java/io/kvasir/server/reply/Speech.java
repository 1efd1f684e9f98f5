package io.kvasir.server.reply;

import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What an answer's text may hold besides content.
///
/// @param tools how calls look; null where the request has no tools
public record Speech(Thoughts thoughts, @Nullable Tools tools) {
  private static final Set<String> MARKS =
      Set.of(
          "<think>",
          "</think>",
          "<tool_call>",
          "</tool_call>",
          "[TOOL_CALLS]",
          "[ARGS]",
          "<|python_tag|>");

  /// Text is text.
  public static final Speech PLAIN = new Speech(Thoughts.NONE, null);

  /// The marks in an answer's text that may be special tokens of the model.
  public Set<String> marks() {
    return thoughts == Thoughts.NONE && tools == null ? Set.of() : MARKS;
  }

  /// Whether an answer may begin with thoughts.
  public enum Thoughts {
    NONE,
    /// Where it begins with `<think>`.
    POSSIBLE,
    /// The prompt ends with `<think>`.
    OPEN
  }

  /// Tools that may be called.
  ///
  /// @param names the tools of the request
  /// @param ids makes an id for each call
  public record Tools(ToolSyntax syntax, Set<String> names, Supplier<String> ids) {
    public Tools {
      names = Set.copyOf(names);
    }
  }
}
