#!/bin/sh
# Compares Kvasir's greedy answers with those of llama.cpp, as node-llama-cpp 3.22.1 carries it, on the same GGUF file.
#   scripts/peers/compare-greedy.sh [MODEL.gguf [PROMPTS.txt [TOKENS]]]      default: the default model, 20 prompts, 40 tokens
# Needs Node 20 and, the first time, the npm registry; the peer is kept in ${KVASIR_PEERS:-a folder under the user's cache}.
# Prints a table. Exit code 0 where all answers are equal up to rounding ties: the first token that differs is, to the peer,
# as likely as its own within 0.1 of the log-probability.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
home=$(CDPATH='' cd -- "$here/../.." && pwd -P)
set -- "${1:-$(echo "$home"/models/kvasir-stories/*.gguf)}" "${2:-$here/prompts.txt}" "${3:-40}"
model=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd -P)/$(basename -- "$1")
prompts=$(CDPATH='' cd -- "$(dirname -- "$2")" && pwd -P)/$(basename -- "$2")
. "$here/peer.sh"
exec node "$here/compare.mjs" "${KVASIR:-$home/kvasir}" "$model" "$prompts" "$3"
