package io.kvasir.server.reply;

/// How a model writes that it calls a tool.
public enum ToolSyntax {
  /// `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, any number of them: the Hermes
  /// models, Qwen and many others.
  HERMES,
  /// The whole answer is `{"name": ..., "parameters": {...}}`, maybe after `<|python_tag|>`: Llama
  /// 3.
  LLAMA,
  /// `[TOOL_CALLS][{"name": ..., "arguments": {...}}, ...]`, or in later models
  /// `[TOOL_CALLS]name[ARGS]{...}`: Mistral.
  MISTRAL
}
