#!/bin/sh
# Makes a folder that runs on a machine with an NVIDIA driver and nothing else: a Java runtime, the
# program, its kernels, and what check.sh checks with.
#   scripts/gpu/build.sh FOLDER [REFERENCE_CASE...]
# Needs JAVA_HOME (25) and compiled modules (mvn test-compile). The folder takes about 15 MB; each
# reference case, a folder of ../shared/reference/hf, adds about 1 MB.
set -eu
home=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
target=$1
shift
modules=java.base,jdk.incubator.vector,java.logging,java.management,jdk.jfr,jdk.management
rm -rf "$target"
mkdir -p "$target/hf"
work=$(mktemp -d)
classes=$work/classes
mkdir "$classes"
trap 'rm -rf "$work"' EXIT
"$JAVA_HOME/bin/jlink" --strip-debug --no-header-files --no-man-pages \
  --add-modules "$modules" --output "$work/jre"
rm -f "$work/jre/lib/classlist"
# What the runtime does not compress, xz does better.
tar -c -C "$work" jre | xz -6 -T0 >"$target/jre.tar.xz"
for module in kvcache compute compute-x86 compute-cpu compute-cuda model engine; do
  cp -r "$home/$module/target/classes/." "$classes"
done
rm -f "$classes/module-info.class"
rm -rf "$classes/META-INF"
mkdir -p "$classes/io/kvasir/acceptance"
for class in GpuCheck GpuDraw GpuExperts GpuProducts GpuServe GpuSpeed GpuTogether Forward DecodeRun; do
  cp "$home/acceptance/target/test-classes/io/kvasir/acceptance/$class"*.class \
    "$classes/io/kvasir/acceptance"
done
"$JAVA_HOME/bin/jar" --create --file "$target/program.jar" -C "$classes" .
cp "$home/scripts/gpu/check.sh" "$target"
for case in "$@"; do
  mkdir -p "$target/hf/$(basename "$case")"
  cp "$case"/config.json "$case"/*.safetensors "$target/hf/$(basename "$case")"
done
megabytes=$(du -sm "$target" | cut -f1)
echo "$target: $megabytes MB"
[ "$megabytes" -le 60 ] || {
  echo "build.sh: more than 60 MB" >&2
  exit 1
}
