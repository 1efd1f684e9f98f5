/// Chat templates: a sandboxed, bounded Jinja engine. Message text is data and is never evaluated.
///
/// [ChatTemplate] and [Template] are what others use. Inside, `Lexer` and the two parsers make the
/// tree of `Stmt` and `Expr`, `Executor` and `Evaluator` walk it, `Value` is what they compute with
/// (Python's values), and the tables `FilterTable`, `TestTable`, `StringMethods` and `Globals` list
/// what templates can call. Everything that could grow asks `Budget` first. The package knows
/// nothing of tokenizers or models.
package io.kvasir.model.template;
