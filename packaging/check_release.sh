#!/usr/bin/env bash
# Whether a release would be built as it should, without building it: the workflows are valid, each runner of the release
# makes the wheels that are promised for it, and the source distribution is complete. Needs cibuildwheel, check-jsonschema and build.
#   packaging/check_release.sh
set -euo pipefail
cd "$(dirname "$0")/.."
release=.github/workflows/release.yml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# <platform> <architecture, as the workflow names it> <tags of the wheels>
wheels() {
  expected=$(for tag in $3; do printf "cp%s-$tag\n" 310 311 312 313 314; done | sort)
  got=$(CIBW_ARCHS=$2 python -m cibuildwheel --print-build-identifiers --platform "$1" | sort)
  if [ "$expected" != "$got" ]; then
    echo "$1, $2: not the wheels that are promised (<) but those (>):" >&2
    diff <(echo "$expected") <(echo "$got") >&2
    exit 1
  fi
  grep -q "archs: $2 }" "$release" || { echo "$release builds nothing for $1, $2" >&2; exit 1; }
  echo "$got" | tr '\n' ' '
  echo
}
wheels linux x86_64 "manylinux_x86_64 musllinux_x86_64"
wheels linux aarch64 "manylinux_aarch64 musllinux_aarch64"
wheels macos arm64 macosx_arm64
wheels windows AMD64 win_amd64

# The workflow uses the version of cibuildwheel that was asked.
version=$(python -c 'import importlib.metadata; print(importlib.metadata.version("cibuildwheel"))')
grep -q "^cibuildwheel==$version\$" packaging/tools.txt || { echo "packaging/tools.txt does not pin cibuildwheel $version" >&2; exit 1; }
grep -q "pip install -r packaging/tools.txt" "$release" || { echo "$release does not install packaging/tools.txt" >&2; exit 1; }

sdist=$(mktemp -d)
trap 'rm -rf "$sdist"' EXIT
python -m build --sdist -o "$sdist" . >"$sdist/log" 2>&1 || { cat "$sdist/log"; exit 1; }
python packaging/check_contents.py "$sdist"/*.tar.gz
