package io.kvasir.model.template;

import static io.kvasir.model.template.Rendered.assertFails;
import static io.kvasir.model.template.Rendered.assertRows;

import org.junit.jupiter.api.Test;

/// Expressions; the expected texts are those of Jinja2 3.1.6 on Python 3.11.
class ExpressionTest {

  @Test
  void values_printAsInPython() {
    assertRows(
        "{{ none }} {{ true }} {{ [1, 'a', none, 2.5, (1,)] }}",
        "None True [1, 'a', None, 2.5, (1,)]",
        "{{ {'k': [\"it's\"], 1: \"q\\\"'\"} }}",
        "{'k': [\"it's\"], 1: 'q\"\\''}",
        "{{ 1.0 }} {{ 1e16 }} {{ 1e15 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ -0.0 }}",
        "1.0 1e+16 1000000000000000.0 1e-05 0.30000000000000004 -0.0",
        "{{ 10**25 }} {{ 10**25 // 7 }}",
        "10000000000000000000000000 1428571428571428571428571",
        "{{ range(3) }} {{ d.keys() }} {{ d.items() }}",
        "range(0, 3) dict_keys(['b', 'a']) dict_items([('b', 2), ('a', 1)])",
        "{{ ['\\x00\\n\\x7f\\u200b😀'] }}",
        "['\\x00\\n\\x7f\\u200b😀']");
  }

  @Test
  void arithmetic_followsPython() {
    assertRows(
        "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ -7.5 % 2 }}",
        "3 -4 -2 2 0.5",
        "{{ 6 / 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2 ** -1 }}",
        "3.0 64 4 0.5",
        "{{ (1 + 2) ~ (3 + 4) }} {{ 'ab' * 2 }} {{ [0] * 2 + [1] }} {{ true + 1 }}",
        "37 abab [0, 0, 1] 2",
        "{{ '%s-%05.1f|%-4d|%x' % ('a', 2.25, 5, 255) }}",
        "a-002.2|5   |ff");
    assertFails(
        "{{ 'a' + 1 }}", "can only concatenate str (not \"int\") to str",
        "{{ 1 + 'a' }}", "unsupported operand types for +: 'int' and 'str'",
        "{{ 1 // 0 }}", "division by zero",
        "{{ nosuch + 1 }}", "'nosuch' is undefined");
  }

  @Test
  void comparisons_chainAndMix() {
    assertRows(
        "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }} {{ 'b' > 'a' }}",
        "True False True True",
        "{{ 'ell' in s }} {{ 1 not in l }} {{ 'a' in d }} {{ [1] < [1, 2] }}",
        "True False True True",
        "{{ nosuch == nosuch2 }} {{ nosuch == none }} {{ 0 or 'x' }} {{ n and empty }}|",
        "True False x |");
    assertFails("{{ 'a' < 1 }}", "'<' not supported between instances of 'str' and 'int'");
  }

  @Test
  void subscripts_sliceAndCountCodePoints() {
    assertRows(
        "{{ u[7] }}{{ u[-3:] }} {{ u[::-1] }} {{ u|length }}", "😀gęś śęg 😀 ćłóżaZ 12",
        "{{ l[-1] }}{{ l[9] }}{{ l[::2] }}{{ l[5:] }}{{ (1, 2, 3)[:-1] }}", "2[3, 2][](1, 2)",
        "{{ d['a'] }}{{ d.b }}{{ d.nosuch }}{{ m[0].role }}{{ l.0 }}", "12user3",
        "{{ d.get('x', 5) }}{{ d.items is callable }}", "5True");
    assertFails(
        "{{ d.x.y }}", "'dict object' has no attribute 'x'",
        "{{ none_value.a.b }}", "'None' has no attribute 'a'",
        "{{ l[::0] }}", "step of a slice cannot be zero");
  }

  @Test
  void conditions_withoutElse_areUndefined() {
    assertRows(
        "{{ 'a' if n else 'b' }}{{ 'a' if empty }}{{ ('a' if empty) is defined }}",
        "aFalse",
        "{{ x is defined }} {{ n is number and n is not even }} {{ n is divisibleby 7 }}",
        "False True True",
        "{{ 1 is sameas true }} {{ 'foo' is in ['foo'] }} {{ n is gt(3) }} {{ d is mapping }}",
        "False True True True");
  }

  @Test
  void literals_readEscapesAndBases() {
    assertRows(
        "{{ 'a\\tb\\x41\\u0105\\101\\N{BULLET}\\q' }}", "a\tbAąA•\\q",
        "{{ 'a' \"b\" }}{{ 0x1F }}{{ 0b11 }}{{ 1_000 }}{{ 1.5e-3 }}", "ab31310000.0015",
        "{{ {'a': 1,}['a'] }}{{ (1,) }}{{ () }}{{ 1, 2 }}", "1(1,)()(1, 2)");
  }

  @Test
  void stringMethods_followPython() {
    assertRows(
        "{{ '  a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,,c'.split(',') }}",
        "a b|a|['a', 'b', '', 'c']",
        "{{ ' a  b '.split() }}{{ 'a b c'.split(none, 1) }}{{ 'a-b-c'.rsplit('-', 1) }}",
        "['a', 'b']['a', 'b c']['a-b', 'c']",
        "{{ \"it's a-b\".title() }} {{ 'ß'.upper() }} {{ 'hELLO'.capitalize() }}",
        "It'S A-B SS Hello",
        "{{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.removeprefix('a') }} {{ 'aaa'.count('aa') }}",
        "True bc 1",
        "{{ 'a\\nb\\r\\nc'.splitlines() }} {{ ''.join(['x', 'y']) }} {{ 'abc'.find('c') }}",
        "['a', 'b', 'c'] xy 2",
        "{{ '{:>6}|{:<4}|{:^5}|{:,}|{:.2f}|{!r}'.format('a', 1, 'b', 1234567, 2.345, 'q') }}",
        "     a|1   |  b  |1,234,567|2.35|'q'",
        "{{ '12'.isdigit() }} {{ 'a1'.isalpha() }} {{ 'ab'.center(5, '*') }} {{ '7'.zfill(3) }}",
        "True False **ab* 007");
    assertFails(
        "{{ 'a'.nosuch() }}", "'str object' has no attribute 'nosuch'",
        "{{ 'a'.split('') }}", "separator of a split is empty",
        "{{ ','.join([1]) }}", "needs strings but item 0 is 'int'");
  }

  @Test
  void mutation_isRefused() {
    assertFails(
        "{{ l.append(1) }}", "access to attribute 'append' of 'list' object is unsafe",
        "{{ d.update({}) }}", "access to attribute 'update' of 'dict' object is unsafe",
        "{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe");
    assertRows("{{ l.append }}|{{ s.__class__ }}|", "||");
  }
}
