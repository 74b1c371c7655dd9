#!/usr/bin/env bash
# Builds the kernels for 64-bit Arm and runs their tests under qemu: the NEON kernels are executed on whatever Linux machine
# this is. They are compiled with -O1, to be quick; ARM64_OPTIMIZATION=-O3 compiles them as they are released.
#   packaging/test_arm64.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-arm64}
optimization=${ARM64_OPTIMIZATION:--O1}

present() {
  command -v aarch64-linux-gnu-g++ && command -v qemu-aarch64-static &&
    echo '#include <doctest/doctest.h>' | aarch64-linux-gnu-g++ -E -x c++ -
} >/dev/null 2>&1
if ! present; then
  { apt-get update -qq && apt-get install -y -qq g++-aarch64-linux-gnu qemu-user-static doctest-dev; } >/dev/null 2>&1 || true
  if ! present; then
    echo "SKIPPED: arm64, since apt cannot install g++-aarch64-linux-gnu, qemu-user-static and doctest-dev here"
    exit 0
  fi
fi

cmake -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake -DSTRIATE_WERROR=ON \
  -DSTRIATE_KERNEL_TESTS=ON -DSTRIATE_ONLY_ISAS=neon -DSTRIATE_KERNEL_OPTIMIZATION="$optimization" -DCMAKE_CXX_FLAGS_RELEASE=-O1
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j2
