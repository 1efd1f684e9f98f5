package io.kvasir.model.template;

import static io.kvasir.model.template.Rendered.assertFails;
import static io.kvasir.model.template.Rendered.assertRows;

import org.junit.jupiter.api.Test;

/// Filters; the expected texts are those of Jinja2 3.1.6, `tojson` as Hugging Face defines it.
class FilterTest {

  @Test
  void tojson_isPythonsDumps() {
    assertRows(
        "{{ {'b': [1, 2.0, none], 'a': \"é<'\\n\"}|tojson }}",
        "{\"b\": [1, 2.0, null], \"a\": \"é<'\\n\"}",
        "{{ {'b': 1, 'a': {'z': [], 'y': {}}}|tojson(indent=2, sort_keys=true) }}",
        "{\n  \"a\": {\n    \"y\": {},\n    \"z\": []\n  },\n  \"b\": 1\n}",
        "{{ [1, {'a': 2}]|tojson(separators=(',', ':')) }}",
        "[1,{\"a\":2}]",
        "{{ 'é😀\\x7f\\x01'|tojson(ensure_ascii=true) }}",
        "\"\\u00e9\\ud83d\\ude00\\u007f\\u0001\"",
        "{{ {1: 2, none: 3, true: 4, 2.5: 5}|tojson }}",
        "{\"1\": 4, \"null\": 3, \"2.5\": 5}");
    assertFails(
        "{{ nosuch|tojson }}", "an object of type 'Undefined' cannot be written as JSON",
        "{{ {(1, 2): 3}|tojson }}", "a key of type 'tuple'");
  }

  @Test
  void selections_areLazyAndOnce() {
    assertRows(
        "{{ m|map(attribute='content')|join(', ') }}",
        "a, B, c",
        "{{ m|selectattr('role', 'equalto', 'user')|list|length }}",
        "2",
        "{{ m|rejectattr('n', 'gt', 1)|map(attribute='n')|list }}",
        "[1]",
        "{{ l|select('odd')|list }}{{ l|reject('in', [1])|list }}{{ l|map('string')|list }}",
        "[3, 1][3, 2]['3', '1', '2']",
        "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}",
        "['3', '1', '2'][]",
        "{{ m|map(attribute='x', default='?')|list }}",
        "['?', '?', '?']");
    assertFails("{{ l|map('string')|length }}", "object of type 'generator' has no length");
  }

  @Test
  void order_isStable() {
    assertRows(
        "{{ l|sort }}{{ ['b', 'A', 'c']|sort }}{{ ['b', 'A']|sort(true) }}",
        "[1, 2, 3]['A', 'b', 'c']['b', 'A']",
        "{{ m|sort(attribute='role,n')|map(attribute='n')|list }}",
        "[1, 2, 3]",
        "{% for role, items in m|groupby('role') %}{{ role }}{{ items|length }};{% endfor %}",
        "assistant1;user2;",
        "{{ d|dictsort }}{{ l|min }}{{ l|max }}{{ [1, 1.0, 'a', 'A']|unique|list }}",
        "[('a', 1), ('b', 2)]13[1, 'a']",
        "{{ l|batch(2, 0)|list }}{{ l|slice(2)|list }}{{ l|reverse|list }}",
        "[[3, 1], [2, 0]][[3, 1], [2]][2, 1, 3]");
  }

  @Test
  void numbers_roundLikePython() {
    assertRows(
        "{{ 42.55|round }} {{ 42|round }} {{ 2.5|round }} {{ 2.675|round(2) }}",
        "43.0 42 2.0 2.67",
        "{{ 42.55|round(1, 'floor') }} {{ '42.7'|int }} {{ 'x'|int(7) }} {{ '0x1A'|int(base=16) }}",
        "42.5 42 7 26",
        "{{ '1e3'|float }} {{ 'x'|float }} {{ -3|abs }} {{ m|sum(attribute='n') }}",
        "1000.0 0.0 3 6",
        "{{ 1000000|filesizeformat }} {{ 1|filesizeformat }} {{ 2048|filesizeformat(true) }}",
        "1.0 MB 1 Byte 2.0 KiB");
  }

  @Test
  void text_isChanged() {
    assertRows(
        "{{ 'a\\nb\\n\\nc'|indent(2) }}",
        "a\n  b\n\n  c",
        "{{ 'a\\n\\nb'|indent('> ', true, true) }}",
        "> a\n> \n> b",
        "{{ '  x '|trim }}|{{ s|replace('o', '0', 1) }}|{{ \"it's\"|title }}|{{ s|upper }}",
        "x|Hell0 World|It's|HELLO WORLD",
        "{{ 'one two three four'|truncate(9, leeway=0) }}|{{ 'one two three'|wordwrap(7) }}",
        "one...|one two\nthree",
        "{{ '<a>'|e }} {{ '<p>a  <b>c</b>'|striptags }} {{ 'a b/é'|urlencode }}",
        "&lt;a&gt; a c a%20b/%C3%A9",
        "{{ 'see http://a.b/c, x@y.z'|urlize }}",
        "see <a href=\"http://a.b/c\" rel=\"noopener\">http://a.b/c</a>,"
            + " <a href=\"mailto:x@y.z\">x@y.z</a>",
        "{{ nosuch|default('D') }}{{ empty|default('E', true) }}{{ none_value|d('N') }}",
        "DENone",
        "{{ [1, 2]|join('-') }}{{ 'abc'|first }}{{ 'abc'|last }}{{ ''|first }}",
        "1-2ac");
  }

  @Test
  void unknownFilter_failsAtOnceUnlessGuarded() {
    assertFails(
        "{{ s|nosuch }}", "there is no filter named 'nosuch'",
        "{% for x in [] %}{{ x is nosuch }}{% endfor %}", "there is no test named 'nosuch'",
        "{{ s|indent(1, 2, 3, 4) }}", "'indent' takes at most 3 arguments");
    assertRows("{% if false %}{{ s|nosuch }}{% endif %}ok", "ok");
  }
}
