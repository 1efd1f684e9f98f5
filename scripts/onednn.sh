#!/bin/sh
# Gets oneDNN 3.11 for --matmul onednn-f32 and onednn-bf16 (Linux on x86-64, 90 MB).
#   scripts/onednn.sh [FOLDER]      default: kvasir/onednn under the user's cache, where Kvasir looks for it
# Needs Maven, which brings the library as it is published there; Kvasir checks its SHA-256 before loading it.
set -eu
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/kvasir/onednn}
jar=org.bytedeco:dnnl:3.11-1.5.13:jar:linux-x86_64
mkdir -p "$folder"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$jar" -DoutputDirectory="$tmp" -Dmdep.useBaseVersion=true
cd "$tmp"
unzip -qo ./*.jar 'org/bytedeco/dnnl/linux-x86_64/lib*.so*'
cp org/bytedeco/dnnl/linux-x86_64/libdnnl.so.3 org/bytedeco/dnnl/linux-x86_64/libgomp.so.1 "$folder/"
echo "oneDNN is in $folder"
