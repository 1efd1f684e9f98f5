# Sourced: makes sure of node-llama-cpp and goes to the folder that has it, ${KVASIR_PEERS:-one under the user's cache}.
peers=${KVASIR_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/kvasir/peers}
mkdir -p "$peers"
cd "$peers"
if [ ! -d node_modules/node-llama-cpp ]; then
  [ -f package.json ] || npm init -y >/dev/null
  npm install --ignore-scripts --no-audit --no-fund node-llama-cpp@3.22.1 >&2
fi
