#!/bin/sh
# Tokens per second of Kvasir and of llama.cpp, as node-llama-cpp 3.22.1 carries it, on the same random weights, in turn.
#   scripts/peers/speed.sh [-s SHAPE] [-w WEIGHTS,..] [-d DEPTH,..] [-k KVASIR_CACHE,..] [-l LLAMA_CACHE,..] [-m MATMUL] [-r ROUNDS] [-p N] [-n N] [-j]
#   SHAPE    llama-3.2-1b (default), qwen3-0.6b, tiny, or a GGUF file
#   WEIGHTS  q8_0 (default), q4_0, q4_k_m, bf16, f16, f32; ignored for a file
#   DEPTH    tokens in the cache before; default 0
#   caches   default f16 for both; Kvasir's formats are those of --kv-format, llama.cpp's F16, Q8_0, Q4_0
#   MATMUL   what --matmul of Kvasir names; default machine
#   ROUNDS   default 3; every round runs each engine once, so that both meet the same noise
#   -p -n    prompt and answer tokens; default 512 and 32
#   -j       java-llama.cpp (de.kherud:llama 4.2.0, brought by Maven) as well, with llama.cpp's caches
#   THREADS  environment; default 2
# Needs Node 20 and, the first time, the npm registry; peers and models are kept in ${KVASIR_PEERS:-a folder under the
# user's cache}. Prints a Markdown table of medians with the least and most behind them; one JSON line a run goes to speed.jsonl there.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
home=$(CDPATH='' cd -- "$here/../.." && pwd -P)
kvasir=${KVASIR:-$home/kvasir}
shape=llama-3.2-1b weights=q8_0 depths=0 own=f16 theirs=F16 matmul=machine rounds=3 prompt=512 answer=32 java=no
while getopts s:w:d:k:l:m:r:p:n:j option; do
  case $option in
    s) shape=$OPTARG ;;
    w) weights=$OPTARG ;;
    d) depths=$OPTARG ;;
    k) own=$OPTARG ;;
    l) theirs=$OPTARG ;;
    m) matmul=$OPTARG ;;
    r) rounds=$OPTARG ;;
    p) prompt=$OPTARG ;;
    n) answer=$OPTARG ;;
    j) java=yes ;;
    *) exit 2 ;;
  esac
done
threads=${THREADS:-2}
case $shape in
  */* | *.gguf) file=$(CDPATH='' cd -- "$(dirname -- "$shape")" && pwd -P)/$(basename -- "$shape") weights=file ;;
  *) file= ;;
esac
. "$here/peer.sh"
lines=$peers/speed.jsonl
for jar in de.kherud:llama:4.2.0 org.jetbrains:annotations:24.1.0; do
  name=${jar#*:}
  [ "$java" = no ] || [ -s "$peers/${name%:*}-${name#*:}.jar" ] ||
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$jar" -DoutputDirectory="$peers" >&2
done
: >"$lines"
deepest=0
for depth in $(echo "$depths" | tr , ' '); do [ "$depth" -le "$deepest" ] || deepest=$depth; done
context=$((deepest + prompt + answer + 64))

for weight in $(echo "$weights" | tr , ' '); do
  model=${file:-$peers/$shape-$weight.gguf}
  if [ ! -s "$model" ]; then
    "$kvasir" java "$home/bench/src/main/java/io/kvasir/bench/RandomModel.java" "$shape" "$weight" "$model.part" >&2
    mv "$model.part" "$model"
  fi
  round=0
  while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for cache in $(echo "$own" | tr , ' '); do
      echo "kvasir: $weight, $cache, round $round" >&2
      "$kvasir" bench "$model" --threads "$threads" -p "$prompt" -n "$answer" -d "$depths" -r 2 --context "$context" --kv-format "$cache" --matmul "$matmul" --json |
        node "$here/speed-table.mjs" own "$weight" >>"$lines"
    done
    for cache in $(echo "$theirs" | tr , ' '); do
      echo "llama.cpp: $weight, $cache, round $round" >&2
      node "$here/speed.mjs" "$model" "$threads" "$prompt" "$answer" "$depths" "$cache" on |
        node "$here/speed-table.mjs" theirs "$weight" llama.cpp >>"$lines"
      [ "$java" = yes ] || continue
      echo "java-llama.cpp: $weight, $cache, round $round" >&2
      "$kvasir" java -cp "$peers/llama-4.2.0.jar:$peers/annotations-24.1.0.jar" "$here/JavaLlamaCpp.java" \
        "$model" "$threads" "$prompt" "$answer" "$depths" "$cache" |
        grep '^{' | node "$here/speed-table.mjs" theirs "$weight" java-llama.cpp >>"$lines"
    done
  done
done
node "$here/speed-table.mjs" table <"$lines"
