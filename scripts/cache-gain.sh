#!/bin/sh
# Measures what the key-value cache gains: the same prompt and answer with and without it, through ./kvasir run.
#   scripts/cache-gain.sh [PROMPT_TOKENS [ANSWER_TOKENS [OUT.svg]]]      default: 1000 500
# Prints time per token against position and the ratio of the totals; draws the curve (log scale) to OUT.svg.
set -eu
home=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
prompt_tokens=${1:-1000}
answer_tokens=${2:-500}
picture=${3:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# " a" is a token of its own in any vocabulary, so the count is the prompt's length, give or take the template.
awk -v n="$prompt_tokens" 'BEGIN { for (i = 0; i < n; i++) printf " a" }' >"$tmp/prompt"
measure() { # NAME OPTIONS...
  name=$1
  shift
  "$home/kvasir" run --raw -f "$tmp/prompt" -n "$answer_tokens" --temp 0 --ignore-eos --json --token-times "$@" >"$tmp/$name.json"
  # Times of tokens as one per line.
  sed 's/.*"token_ms":\[\([^]]*\)\].*/\1/' "$tmp/$name.json" | tr ',' '\n' >"$tmp/$name"
}
measure with
measure without --no-kv-cache

paste "$tmp/with" "$tmp/without" | awk -v first="$prompt_tokens" -v picture="$picture" '
  NF == 2 { n++; a[n] = $1; b[n] = $2 }
  function step(t, i) { return i == 1 ? t[1] : t[i] - t[i - 1] }
  # Mean over a window, so that a pause of the machine does not hide the curve.
  function mean(t, i,    from, to, j, s) {
    from = i - 10 < 2 ? 2 : i - 10; to = i + 10 > n ? n : i + 10
    for (j = from; j <= to; j++) s += step(t, j)
    return s / (to - from + 1)
  }
  END {
    printf "%10s %14s %14s %8s\n", "position", "with, ms", "without, ms", "ratio"
    k = n > 10 ? int(n / 10) : 1
    for (i = 2; i <= n; i += k) printf "%10d %14.2f %14.2f %7.1fx\n", first + i, mean(a, i), mean(b, i), mean(b, i) / mean(a, i)
    printf "\nprompt of %d tokens + %d tokens: %.2f s with the cache, %.2f s without: %.1f times faster\n",
      first, n, a[n] / 1000, b[n] / 1000, b[n] / a[n]
    if (picture == "") exit
    w = 760; h = 380; l = 70; t0 = 30; pw = w - l - 130; ph = h - t0 - 60
    for (i = 2; i <= n; i++) { ma[i] = mean(a, i); mb[i] = mean(b, i)
      if (!lo || ma[i] < lo) lo = ma[i]; if (mb[i] > hi) hi = mb[i] }
    lo = 10 ^ int(log(lo) / log(10) - 0.999); hi = 10 ^ int(log(hi) / log(10) + 0.999)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n", w, h >picture
    printf "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n" >picture
    for (v = lo; v <= hi * 1.01; v *= 10) {
      y = t0 + ph * (log(hi) - log(v)) / (log(hi) - log(lo))
      printf "<path d=\"M%d %.1fh%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"#444\">%g ms</text>\n", l, y, pw, l - 8, y + 4, v >picture
    }
    for (i = 0; i <= 5; i++) {
      x = l + pw * i / 5
      printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#444\">%d</text>\n", x, t0 + ph + 20, first + n * i / 5 >picture
    }
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"#444\">position</text>\n", l + pw / 2, h - 12 >picture
    printf "<text x=\"%d\" y=\"18\" fill=\"#222\">Time per token with and without the key-value cache (log scale)</text>\n", l >picture
    line(mb, "#c0392b", "recomputed"); line(ma, "#1f6fb4", "cached")
    printf "</svg>\n" >picture
  }
  function line(m, colour, name,    i, x, y, d) {
    for (i = 2; i <= n; i++) {
      x = l + pw * (i - 1) / n; y = t0 + ph * (log(hi) - log(m[i])) / (log(hi) - log(lo))
      d = d (d == "" ? "M" : "L") sprintf("%.1f %.1f", x, y)
    }
    printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/><text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", d, colour, x + 8, y + 4, colour, name >picture
  }
'
