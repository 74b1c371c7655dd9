#!/usr/bin/env bash
# All that wants a GPU, in ten minutes: tools/gpu_check.sh OUT [BUILD]. Each part is bounded in time and writes OUT/PART.json
# and OUT/PART.log when it ends; the last line says which parts failed, and so does the exit status.
#   OUT    a folder for the results
#   BUILD  a build folder with the plugin and its tests; made where it is missing
# EMULATED=1: without a GPU, on the emulated plugin; nothing is timed.
# doctest must be installed, or unpacked in a folder that CMAKE_PREFIX_PATH names, to make a build.
# striate must be importable, in the version of this tree, with pytest, pytest-xdist and hypothesis.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:?say where the results go}
mkdir -p "$out"
out=$(cd "$out" && pwd)
build=${2:-build/gpu}
emulated=${EMULATED:-0}
kind=ON plugin=striate_cuda
if [ "$emulated" = 1 ]; then kind=EMULATED plugin=striate_cuda_emulated; fi
failed=()

# part NAME SECONDS COMMAND...
part() {
  local name=$1 limit=$2 began=$SECONDS code=0
  shift 2
  printf '== %s (at most %ds)\n' "$name" "$limit"
  timeout -k 5 "$limit" "$@" >"$out/$name.log" 2>&1 || code=$?
  printf '{"part": "%s", "status": %d, "seconds": %d, "limit": %d, "emulated": %s}\n' \
    "$name" "$code" $((SECONDS - began)) "$limit" "$([ "$emulated" = 1 ] && echo true || echo false)" >"$out/$name.json"
  cat "$out/$name.json"
  if [ "$code" != 0 ]; then
    failed+=("$name")
    tail -n 30 "$out/$name.log"
  fi
}

make_build() {
  cmake -S . -B "$build" -DSTRIATE_CUDA=$kind -DSTRIATE_CUDA_ARCHITECTURES=native -DSTRIATE_ONLY_ISAS=scalar \
    -DSTRIATE_KERNEL_OPTIMIZATION=-O1 -DSTRIATE_INSTALL=OFF &&
    cmake --build "$build" -j "$(nproc)"
}
if [ ! -e "$build/cpp/cuda/lib$plugin.so" ]; then part build 240 make_build; fi
export STRIATE_CUDA_PLUGIN=$PWD/$build/cpp/cuda/lib$plugin.so
if [ "${build#/}" != "$build" ]; then STRIATE_CUDA_PLUGIN=$build/cpp/cuda/lib$plugin.so; fi

part report 30 python -m striate.cuda.report
part kernels 120 ctest --test-dir "$build" -L cuda --output-on-failure -j 2
# Layers, losses and optimizers beside their definitions in double precision, each network on the device.
export PYTEST_ADDOPTS=${PYTEST_ADDOPTS:-"-n 2"} HYPOTHESIS_PROFILE=ci
if [ "$emulated" = 1 ]; then HYPOTHESIS_PROFILE=device; fi
part device 120 python -m pytest tests/test_device.py
# Those of threads are the CPU's.
part layers 240 env STRIATE_DEVICE=cuda python -m pytest -k "not threads" tests/test_layers.py tests/test_losses.py \
  tests/test_optimizers.py tests/test_fusion.py tests/test_graph.py tests/test_weight_decay.py

if [ "$emulated" != 1 ]; then
  if command -v compute-sanitizer >/dev/null; then
    for family in conv norm loss; do
      part "memcheck-$family" 30 compute-sanitizer --tool memcheck --error-exitcode 9 \
        "$build/cpp/cuda/tests/test_device_kernels_$family"
      part "racecheck-$family" 30 compute-sanitizer --tool racecheck --error-exitcode 9 \
        "$build/cpp/cuda/tests/test_device_kernels_$family"
    done
  fi
  part times 180 python tools/gpu_times.py "$out/times.json"
fi

if [ ${#failed[@]} = 0 ]; then
  echo "all parts passed"
else
  echo "failed: ${failed[*]}"
  exit 1
fi
