#!/bin/sh
# Builds the emulated driver: build.sh TARGET.so. Needs g++ of GCC 12 or newer on x86-64.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
kernels=$here/../../main/cuda
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
  names=
  for source in "$kernels"/elementwise.cu "$kernels"/sampling.cu "$kernels"/linear.cu \
    "$kernels"/experts.cu "$kernels"/kv_store.cu "$kernels"/kv_attend.cu "$here"/twins.cu; do
    echo "#include \"$source\""
    names="$names $(sed -n 's/^KERNEL \([a-z0-9_]*\)(.*/\1/p' "$source")"
  done
  for type in 0 1 2 3 6 7 8 12 13 14 20 30 39; do
    names="$names kv_linear_${type}_1 kv_linear_${type}_8 kv_expand_${type} kv_experts_${type}"
  done
  for name in $names; do
    echo "static std::function<void()> bind_$name(void** p) { return bound($name, p); }"
  done
  echo 'static const std::vector<Kernel> KERNELS = {'
  for name in $names; do
    echo "  {\"$name\", bind_$name},"
  done
  echo '};'
} >"$work/kernels.inc"
g++ -std=c++17 -O2 -ffp-contract=off -fno-strict-aliasing -w -shared -fPIC \
  -I "$work" -I "$kernels" -I "$here" -o "$1" "$here/driver.cpp"
