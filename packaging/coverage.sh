#!/usr/bin/env bash
# Prints which share of the lines of Python and C++ the tests execute. Needs g++, gcov, doctest, packaging/tools.txt and the
# dependencies of the tests. Builds the extension module in python/striate: remove it afterwards (git clean -X python).
#   packaging/coverage.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/coverage
cmake --preset coverage -B "$build"
cmake --build "$build"
find "$build" -name '*.gcda' -delete
ctest --test-dir "$build" --timeout 1800 -j"$(nproc)" --output-on-failure
PYTHONPATH=$PWD/python python -m pytest -n "$(nproc)" --timeout 1800 --cov=striate --cov-report=term:skip-covered "$@"
gcovr --root . --object-directory "$build" --filter 'cpp/(src|include|bindings)/' --exclude-throw-branches --sort uncovered-percent --print-summary
