#!/usr/bin/env bash
# Runs the checks of .clang-tidy on the C++ core, kernels excepted: they are compiled once per instruction set.
# Needs clang-tidy 14 and clang 14 (`apt install clang-tidy-14 clang-14 libomp-14-dev`).
#   packaging/tidy.sh [FILE ...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/tidy
CC=clang-14 CXX=clang++-14 cmake --preset release -B "$build" -DSTRIATE_TESTS=OFF -DSTRIATE_EXAMPLES=OFF -DSTRIATE_UNITY=OFF >/dev/null
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'cpp/src/*.cpp' | grep -v '^cpp/src/kernels/\|_windows'); fi
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 -p "$build" --quiet
