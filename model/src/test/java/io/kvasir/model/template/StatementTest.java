package io.kvasir.model.template;

import static io.kvasir.model.template.Rendered.assertFails;
import static io.kvasir.model.template.Rendered.assertRows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/// Statements, scopes and white space; the expected texts are those of Jinja2 3.1.6.
class StatementTest {

  @Test
  void loops_knowTheirPlace() {
    assertRows(
        "{% for x in l %}{{ loop.index }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}"
            + "{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }};{% endfor %}",
        "12TrueFalse1a;21FalseFalse32b;30FalseTrue1a;",
        "{% for x in l if x > 1 %}{{ loop.length }}{{ x }}{% else %}none{% endfor %}",
        "2322",
        "{% for x in [] %}a{% else %}b{% endfor %}",
        "b",
        "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
        "b=2;a=1;",
        "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
        "32",
        "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
        "3",
        "{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}"
            + "{{ n.v }}@{{ loop.depth }}[{{ loop(n.c) }}]{% endfor %}",
        "1@1[2@2[]]");
    assertFails(
        "{% for x in 5 %}{% endfor %}", "'int' object is not iterable",
        "{% for a, b in [[1]] %}{% endfor %}", "not enough values to unpack (expected 2, got 1)",
        "{% break %}", "'break' stands outside of a loop");
  }

  @Test
  void assignments_stayInTheirScope() {
    assertRows(
        "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
        "4 2 3 1",
        "{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}"
            + "{{ ns.x }}",
        "7",
        "{% if true %}{% set q = 3 %}{% endif %}{{ q }}",
        "3",
        "{% set a, b = 1, 2 %}{{ b }}{{ a }}{% set c %}x{{ a }}{% endset %}[{{ c }}]",
        "21[x1]",
        "{% set x | upper %}abc{% endset %}{{ x }}",
        "ABC",
        "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
        "12",
        "{% generation %}{% set q = 1 %}x{% endgeneration %}{{ q }}",
        "x");
    assertFails(
        "{% set d.x = 1 %}", "'d' is no namespace",
        "{% for i in l %}{% set loop = 1 %}{% endfor %}", "cannot assign to its variable 'loop'");
  }

  @Test
  void macros_takeArgumentsAndCallers() {
    assertRows(
        "{% macro f(a, b=2, c=a) %}{{ a }},{{ b }},{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, c=5) }}",
        "1,2,1;1,2,5;",
        "{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=4) }}",
        "(2,){'x': 4}",
        "{% macro f(a) %}<{{ caller(a) }}>{% endmacro %}{% call(x) f(7) %}[{{ x }}]{% endcall %}",
        "<[7]>",
        "{% set y = 1 %}{% macro f() %}{{ y }}{% endmacro %}{% set y = 2 %}{{ f() }}",
        "2",
        "{% filter upper %}abc {{ n }}{% endfilter %}",
        "ABC 7");
    assertFails("{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "takes at most 1 arguments");
  }

  @Test
  void whiteSpace_isTrimmedAroundBlocks() {
    assertRows(
        "  {% if true %}\n    a\n  {% endif %}\nb", "    a\nb",
        "a{% if true %} \n b{% endif %}   c\n\n", "a \n b   c\n",
        "a  {{- 'x' -}}  y", "axy",
        "  {%+ if true %}a{% endif +%}\nb", "  a\nb",
        "a {#- c #} b\n  {# d #}\nx", "a b\nx",
        "{% raw %}\n {{ x }}\n{% endraw %}\nb", "\n {{ x }}\nb",
        "a\r\nb\r{% if 1 %}\r\nc{% endif %}", "a\nb\nc",
        "{{ '{{ n }}' }}{{ {'a': {'b': 1}} }}", "{{ n }}{'a': {'b': 1}}");
  }

  @Test
  void globals_areThere() {
    assertRows(
        "{{ range(5, 0, -2)|list }}{{ dict(a=1, **{'b': 2}) }}",
        "[5, 3, 1]{'a': 1, 'b': 2}",
        "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}",
        "aba",
        "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b",
        "a|b",
        "{{ strftime_now('%Y-%m-%d %-d %b %A %H:%M:%S %j %I%p [%Z]') }}",
        "2026-01-15 15 Jan Thursday 09:05:03 015 09AM []");
  }

  @Test
  void raiseException_passesItsWordsOn() {
    assertThatThrownBy(() -> Rendered.render("a\n{{ raise_exception('no ' ~ n) }}"))
        .isInstanceOfSatisfying(
            TemplateException.class,
            e -> {
              assertThat(e).hasMessage("no 7");
              assertThat(e.isRaisedByTemplate()).isTrue();
              assertThat(e.line()).isEqualTo(2);
            });
  }

  @Test
  void errors_nameTheLine() {
    assertFails(
        "a\n\n{{ nosuch.x }}", "'nosuch' is undefined (line 3 of the template)",
        "a\n{% if %}", "expected an expression but found '%}' (line 2 of the template)",
        "{% for x in l %}", "waits for 'endfor' or 'else'",
        "{% nosuch %}", "unknown tag 'nosuch'",
        "{% if x %}{% endfor %}", "unknown tag 'endfor': '{% if %}' waits for",
        "{{ 'a }}", "a string does not end",
        "{{ (1 }}", "unexpected '}'",
        "{% include 'x' %}", "'include' is not available",
        "{{ 1 $ 2 }}", "unexpected character '$'");
  }
}
