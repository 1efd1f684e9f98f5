package io.kvasir.model.template;

import static io.kvasir.model.template.Rendered.assertFails;
import static io.kvasir.model.template.Rendered.render;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/// Templates and messages that mean harm end in a clear error, soon.
class HostileTemplateTest {
  private static final Limits SMALL = new Limits(200_000, 1 << 20, 1 << 16, 800);

  private static void assertStops(String template, String message) {
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () ->
            assertThatThrownBy(
                    () -> Template.compile(template).render(Map.of(), Rendered.NOW, SMALL))
                .as(template.substring(0, Math.min(80, template.length())))
                .isInstanceOf(TemplateException.class)
                .hasMessageContaining(message));
  }

  @Test
  void userText_isNeverEvaluated() {
    String variables = "{\"x\": \"{{ 7*7 }}{% raw %}{# c #}\", \"d\": {\"{{ 1 }}\": \"%s{0}\"}}";
    assertThat(render("{{ x }}|{{ x|upper }}|{% set y %}{{ x }}{% endset %}{{ y }}", variables))
        .isEqualTo("{{ 7*7 }}{% raw %}{# c #}|{{ 7*7 }}{% RAW %}{# C #}|{{ 7*7 }}{% raw %}{# c #}");
    assertThat(render("{{ d }}", variables)).isEqualTo("{'{{ 1 }}': '%s{0}'}");
  }

  @Test
  void growth_isBounded() {
    String grow = "{% set ns = namespace(s='aaaaaaa\"', l=[1]) %}{% for i in range(60) %}";
    assertStops(grow + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "characters of values");
    assertStops(grow + "{% set ns.s = ns.s + ns.s %}{% endfor %}", "characters of values");
    assertStops(grow + "{% set ns.l = ns.l + ns.l %}{% endfor %}", "characters of values");
    assertStops(grow + "{% set ns.s = [ns.s]|string|tojson %}{% endfor %}", "characters of values");
    assertStops("{{ 'a' * 10**12 }}", "characters of values");
    assertStops("{{ [1] * 10**12 }}", "characters of values");
    assertStops("{{ ('a' * 100000)|replace('a', 'b' * 100000) }}", "characters of values");
    assertStops("{{ range(100000)|join('a' * 10000) }}", "characters of values");
    assertStops("{{ 'a'.center(10**9) }}{{ 'a'.zfill(10**9) }}", "characters of values");
    assertStops("{{ '%1000000000d' % 1 }}", "format width");
    assertStops("{{ '{:1000000000}'.format(1) }}", "format width");
    assertStops("{{ 9 ** (9 ** 9) }}", "larger than the allowed");
    assertStops("{% for i in range(9000) %}{{ 'a' * 100 }}{% endfor %}", "characters");
  }

  @Test
  void loops_areBounded() {
    String nested = "{% for a in range(99999) %}".repeat(3) + "{% endfor %}".repeat(3);
    assertStops(nested, "steps");
    assertStops("{{ range(100001) }}", "larger than the allowed 100000");
    assertStops(
        "{% set l = range(9999)|list %}{% for i in l %}{% set x = l|sort %}{% endfor %}", "steps");
    assertStops(
        "{% for i in range(9999) %}{{ range(9999)|map('string')|list|length }}{% endfor %}",
        "values");
    assertStops(
        "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(99) }}",
        "steps");
  }

  @Test
  void recursion_isBounded() {
    assertStops("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "deeper than");
    assertStops("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "deeper than");
    assertStops(
        "{% macro g() %}{{ caller() }}{% endmacro %}"
            + "{% macro f() %}{% call g() %}{{ f() }}{% endcall %}{% endmacro %}{{ f() }}",
        "deeper than");
  }

  @Test
  void syntax_isBounded() {
    for (String[] pair :
        new String[][] {
          {"(", ")"}, {"[", "]"}, {"{1:", "}"}, {"f(", ")"}, {"-", ""}, {"not ", ""}
        }) {
      String deep = "{{ " + pair[0].repeat(5000) + "1" + pair[1].repeat(5000) + " }}";
      assertFails(deep, "nests deeper than");
    }
    for (String tail : new String[] {"+1", ".b", "|e", "()", " or 1", "[0]"}) {
      assertFails("{{ a" + tail.repeat(5000) + " }}", "nests deeper than");
    }
    assertFails("{% if 1 %}".repeat(5000) + "{% endif %}".repeat(5000), "nests deeper than");
    assertFails(" ".repeat(Limits.MAX_SOURCE + 1), "longer than the allowed");
  }

  @Test
  void nestedValues_areBounded() {
    String nest = "{% set ns = namespace(l=[], t=()) %}{% for i in range(5000) %}";
    assertStops(nest + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", "nests deeper than 300");
    assertStops(
        nest + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}", "nests deeper than 300");
    assertStops(
        nest + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l == [ns.l] }}", "nests deeper than 300");
    assertStops(
        nest + "{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}", "cannot be a key");
    assertStops(
        nest + "{% set ns.l = ns.l|map('string') %}{% endfor %}", "generators read from each");
    assertStops("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", "nests deeper than 300");
  }

  @Test
  void search_isLinear() {
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () ->
            assertThat(
                    render(
                        "{% set t = 'a' * 2000000 %}{{ t.find('a' * 900000 ~ 'b') }}"
                            + "{{ ('a' * 900000 ~ 'b') in t }}{{ t.rfind('b' ~ 'a' * 900000) }}"
                            + "{{ t.rsplit('b' ~ 'a' * 40)|length }}"))
                .isEqualTo("-1False-11"));
  }

  @Test
  void brokenSources_neverCrash() {
    String source =
        "{% for m in messages if m.a is defined -%}{{ m['x'][1:2]|join(', ', a=1) ~ \"\\u0041\" }}"
            + "{%- else %}{# c #}{% raw %}{{{% endraw %}{% endfor %}{% set x %}{% endset %}"
            + "{% macro f(a, b=[1, {'k': 2.5e3}]) %}{{ caller() }}{% endmacro %}";
    for (int cut = 0; cut <= source.length(); cut++) {
      for (String broken : new String[] {source.substring(0, cut), source.substring(cut)}) {
        try {
          Template.compile(broken).render(Map.of(), Rendered.NOW, SMALL);
        } catch (TemplateException expected) {
          assertThat(expected.getMessage()).isNotBlank();
        }
      }
    }
  }
}
