#!/bin/sh
# Soaks a server: many clients, long and short prompts that share beginnings, clients that hang up, a cache too small for
# all of it over a tier on disk, and the auditor every second.
#   scripts/soak.sh [MINUTES]      default: 20
# Ends with 0 where afterwards nothing runs, no block is held, no audit found anything, and the server ends in order.
set -eu
home=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
minutes=${1:-20}
tmp=$(mktemp -d)
port=${SOAK_PORT:-18123}
url=http://127.0.0.1:$port
"$home/kvasir" serve --port "$port" --cache-memory 10MiB --block-tokens 16 --host-cache 16MiB --disk-cache "$tmp/disk" \
  --audit 1 --access-log "$tmp/access.log" >"$tmp/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$tmp"' EXIT
until curl -sf "$url/ready" >/dev/null; do
  kill -0 "$server" || { cat "$tmp/server.log"; exit 1; }
  sleep 1
done

end=$(($(date +%s) + 60 * minutes))
hang_up() { # clients that go away after a random part of a second
  i=0
  while [ "$(date +%s)" -lt "$end" ]; do
    i=$((i + 1))
    curl -sN -m "0.$((i * 7 % 90 + 10))" "$url/v1/chat/completions" -o /dev/null -d \
      '{"stream":true,"n":2,"max_tokens":200,"messages":[{"role":"user","content":"Tell me story '$((i % 13))' of the fox."}]}' || true
  done
}
loads() { # SEED: closed loops of changing shape
  seed=$1
  while [ "$(date +%s)" -lt "$end" ]; do
    seed=$((seed + 1))
    "$home/kvasir" bench serve "$url" --concurrency $((4 + seed % 5 * 6)) --requests 60 -p 16-700 -n 1-160 --temp 0.8 \
      --shared-prefix $((seed % 3 * 200)) --seed $((seed % 40)) --json >>"$tmp/loads.json" 2>>"$tmp/loads.err" || echo "load $seed failed" >>"$tmp/failed"
  done
}
hang_up &
loads 0 &
loads 1000 &
while [ "$(date +%s)" -lt "$end" ]; do
  sleep 30
  kill -0 "$server" || { echo "the server ended"; cat "$tmp/server.log"; exit 1; }
done
wait %2 %3 %4 2>/dev/null || true

sleep 3
curl -sf "$url/metrics" >"$tmp/metrics"
value() { sed -n "s/^$1{[^}]*} //p" "$tmp/metrics" | head -1; }
audit=$(curl -sf -X POST "$url/kv/audit")
grep -E '^(kvasir_kv_blocks|kvasir_audit|vllm:num_|vllm:request_success|vllm:generation_tokens_total|vllm:prefix_cache)' "$tmp/metrics" || true
echo "audit now: $audit"
echo "requests answered: $(wc -l <"$tmp/access.log"); server log: $(wc -l <"$tmp/server.log") lines"
[ ! -e "$tmp/failed" ] || { cat "$tmp/failed"; tail -3 "$tmp/loads.err"; }
kill "$server"
status=0
wait "$server" || status=$?
held=$(sed -n 's/^kvasir_kv_blocks{.*state="live"} //p' "$tmp/metrics" | head -1)
violations=$(value kvasir_audit_violations_total)
running=$(value vllm:num_requests_running)
echo "running $running, blocks held $held, audit violations $violations, server's exit $status"
[ "${running%.*}" = 0 ] && [ "${held%.*}" = 0 ] && [ "${violations:-0}" = 0 ] && [ "$status" = 0 ] && [ ! -e "$tmp/failed" ]
