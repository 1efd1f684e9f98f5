#!/bin/sh
# Runs OpenAI's and Anthropic's own JavaScript clients against ./kvasir serve with the default model.
#   scripts/clients/run.sh [URL]      URL: a server that runs already instead of one on a free port
# Needs Node 20 and, the first time, the npm registry; the clients are kept below target/. One line a case, and how each client
# is pinned stands in openai-node/package.json. Exit code 0 where every case passes, or with a reason where there is no npm.
#   KVASIR_RECORD=FOLDER   writes each client's requests and the shapes of the answers there (see record.mjs)
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
home=$(CDPATH='' cd -- "$here/../.." && pwd -P)
for tool in node npm; do
  command -v "$tool" >/dev/null 2>&1 || { echo "skipped: [no-npm] $tool is not installed"; exit 0; }
done

work=$home/target/clients
mkdir -p "$work"
rm -f "$work"/*.log
cp "$here"/openai-node/package.json "$here"/openai-node/package-lock.json "$work/"
if ! cmp -s "$work/package-lock.json" "$work/installed.json"; then
  (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) ||
    { cat "$work/npm.log" >&2; echo "npm ci failed" >&2; exit 1; }
  cp "$work/package-lock.json" "$work/installed.json"
fi
cp "$here"/openai-node/*.mjs "$work/"

started=
trap 'for id in $started; do kill "$id" 2>/dev/null || true; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits for the program that writes to FILE and prints the URL in its first line.
url_in() { # FILE PID
  for _ in $(seq 600); do
    found=$(sed -n 's/^[^h]*\(http:\/\/[0-9a-z.:]*\).*/\1/p' "$1" 2>/dev/null | head -n 1)
    [ -z "$found" ] || { echo "$found"; return 0; }
    kill -0 "$2" 2>/dev/null || break
    sleep 0.2
  done
  cat "$1" >&2
  echo "no server came up" >&2
  exit 1
}

if [ $# -gt 0 ]; then
  url=$1
else
  "${KVASIR:-$home/kvasir}" serve --port 0 --model-name kvasir-stories >"$work/serve.log" 2>&1 &
  started=$!
  url=$(url_in "$work/serve.log" "$started")
fi

# Runs one suite, through a recorder of its own where one is wanted. Both clients of OpenAI send the same; the newer's is kept.
suite() { # NAME FILE
  to=$url
  if [ -n "${KVASIR_RECORD:-}" ] && [ "$1" != openai-6 ]; then
    node "$here/record.mjs" "$url" "$KVASIR_RECORD/$1.jsonl" >"$work/$1.log" 2>&1 &
    started="$started $!"
    to=$(url_in "$work/$1.log" "$!")
  fi
  (cd "$work" && KVASIR_URL=$to KVASIR_CLIENT=$1 node --test --test-reporter=./lines.mjs "$2") || status=1
}

status=0
suite openai openai.mjs
suite openai-6 openai.mjs
suite anthropic anthropic.mjs
exit "$status"
