#!/bin/sh
# Do others read the GGUF files that Kvasir writes as it reads them itself? Converts each reference case with ./kvasir quantize,
# loads it in llama.cpp (node-llama-cpp 3.22.1) and compares every log-probability with the golden logits.
#   scripts/peers/compare-families.sh [CASE ...]      default: all of ../shared/reference/hf but the recurrent ones
#   KVASIR_CASES=FOLDER                               the cases of another folder, such as acceptance/src/test/cases
# Needs what compare-greedy.sh needs.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
home=$(CDPATH='' cd -- "$here/../.." && pwd -P)
cases=$(CDPATH='' cd -- "${KVASIR_CASES:-$home/../shared/reference/hf}" && pwd -P)
. "$here/peer.sh"
exec node "$here/families.mjs" "${KVASIR:-$home/kvasir}" "$cases" "$@"
