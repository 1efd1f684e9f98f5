#!/bin/sh
# Compiles the GPU kernels whose sources changed: compute-cuda/src/main/cuda/NAME.cu becomes
# compute-cuda/src/main/resources/io/kvasir/compute/cuda/NAME.fatbin, which is checked in, so that
# a machine without nvcc builds the same program. Called by the Maven build; -f compiles all.
#
# A source says in a line "// nvcc: OPTIONS" what it needs beyond the usual options, and with
# "// targets: 90a" that it is for these GPUs only. Usual targets: machine code for sm_80 (also runs
# on 86 and 89) and sm_90a, and PTX of compute_80, which a driver compiles for newer ones.
set -eu
home=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
sources=$home/compute-cuda/src/main/cuda
out=$home/compute-cuda/src/main/resources/io/kvasir/compute/cuda
nvcc=${NVCC:-$(command -v nvcc || echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc")}
mkdir -p "$out"
[ "${1:-}" != -f ] || rm -f "$out"/*.fatbin "$out"/*.sum

# A source and the headers that it includes, and theirs.
closure() {
  for file in "$@"; do
    echo "$file"
    for header in $(sed -n 's|^#include "\([^"]*\)".*|\1|p' "$file"); do
      [ ! -f "$sources/$header" ] || closure "$sources/$header"
    done
  done
}

stale=
for source in "$sources"/*.cu; do
  name=$(basename "$source" .cu)
  sum=$(closure "$source" | sort -u | xargs cat | sha256sum | cut -c1-32)
  if [ ! -f "$out/$name.fatbin" ] || [ "$(cat "$out/$name.sum" 2>/dev/null)" != "$sum" ]; then
    stale="$stale $name"
    if [ -x "$nvcc" ]; then
      echo "kernels: compiling $name.cu"
      options=$(sed -n 's|^// nvcc: ||p' "$source")
      targets=$(sed -n 's|^// targets: ||p' "$source")
      code=
      for target in ${targets:-80 90a}; do
        code="$code -gencode arch=compute_$target,code=sm_$target"
      done
      [ -n "$targets" ] || code="$code -gencode arch=compute_80,code=compute_80"
      # shellcheck disable=SC2086 # options are words
      "$nvcc" -std=c++17 -O3 -fatbin --compress-mode=size $options $code -o "$out/$name.fatbin" "$source"
      echo "$sum" >"$out/$name.sum"
    fi
  fi
done
if [ -n "$stale" ] && [ ! -x "$nvcc" ]; then
  echo "kernels: no nvcc on this machine; using the compiled kernels as they are, older than the sources of:$stale"
fi
