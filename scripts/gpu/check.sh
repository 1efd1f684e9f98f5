#!/bin/sh
# Checks the GPU backend with what build.sh packed: check.sh FOLDER MODEL PART...
# MODEL is the default model's file; parts: golden, cases, formats, greedy, draw, speed, fast,
# products, decode, together, experts, memory, load, llama or mixture with
# FORMAT:SEQUENCES:PROMPT:CHUNK:STEPS or together=FORMAT:SEQUENCES:SHARED:OWN:STEPS,
# serve=FORMAT:REQUESTS:IN:OUT:GIB[:TEMPERATURE[:SHARED]], restore=FORMAT:TOKENS.
set -eu
folder=$1
model=$2
shift 2
run=${KVASIR_GPU_RUN:-/tmp/kvasir-gpu}
mkdir -p "$run"
[ -x "$run/jre/bin/java" ] || tar -xJf "$folder/jre.tar.xz" -C "$run"
[ ! -f "$folder/program.jar" ] || cp "$folder/program.jar" "$run"
exec "$run/jre/bin/java" -Xmx8g -XX:+UseParallelGC -cp "$run/program.jar" \
  --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED \
  io.kvasir.acceptance.GpuCheck libcuda.so.1 "$folder/hf" "$model" "$@"
