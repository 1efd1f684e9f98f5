package io.kvasir.model.template;

import io.kvasir.model.json.Json;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A compiled template in the language of chat templates: Jinja with Python's values, as Hugging
/// Face models use it (blocks trimmed, `break` and `continue`, the `generation` tag, `tojson`
/// without ASCII escapes, lists and dictionaries that cannot be changed).
///
/// A template reads its variables and prints text, and nothing else: values are data and are never
/// evaluated, there is no way to files, classes or other templates, and every rendering is bounded
/// in steps, memory, output and depth. Immutable; may be rendered by several threads at once.
public final class Template {
  private final List<Stmt> statements;

  private Template(List<Stmt> statements) {
    this.statements = statements;
  }

  /// Parses `source`.
  ///
  /// @throws TemplateException where the source is no template, naming the line
  public static Template compile(String source) {
    return new Template(TemplateParser.parse(source));
  }

  /// Renders with `variables`; `now` is what `strftime_now` shows.
  ///
  /// @throws TemplateException where the template fails, refuses its input, or reaches a limit
  public String render(Map<String, Json> variables, ZonedDateTime now) {
    JsonValues converter = new JsonValues();
    Map<String, Value> values = HashMap.newHashMap(variables.size());
    for (Map.Entry<String, Json> variable : variables.entrySet()) {
      values.put(variable.getKey(), converter.convert(variable.getValue()));
    }
    return render(values, now, Limits.forInput(converter.characters()));
  }

  String render(Map<String, Value> values, ZonedDateTime now, Limits limits) {
    return new Rendering(limits, now, values).render(statements);
  }
}
