"""Every allocation of the core fails once, in calls of the Python package: MemoryError or success, never a crash.
Weights are those before or after the call, nothing is leaked, and the same call then gives the same bits.

tests/failing_calls.py makes the calls, with tests/cpp/failing_new.cpp in place of `operator new`. By default a few of
the allocations fail, chosen by STRIATE_SEED; FULL=1 tries all of them.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from failing_calls import CASES

TESTS = Path(__file__).parent
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
SEED = int(os.environ.get("STRIATE_SEED", "0") or "0", 16)
FULL = os.environ.get("FULL") == "1"
TRIED = 25

pytestmark = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"), reason="it preloads a library that it compiles"
)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "failing_new.so"
    assert COMPILER is not None
    source = TESTS / "cpp" / "failing_new.cpp"
    subprocess.run([COMPILER, "-std=c++17", "-O1", "-fPIC", "-shared", source, "-o", library], check=True)
    return library


def run(shim: Path, case: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LD_PRELOAD": str(shim), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TESTS / "failing_calls.py"), case, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3600)


@pytest.mark.parametrize("case", sorted(CASES))
def test_failed_allocations(shim: Path, case: str) -> None:
    counted = run(shim, case, ["calls"])
    assert counted.returncode == 0, counted.stderr
    calls = int(counted.stdout)
    assert calls > 20
    numbers = list(range(1, calls + 1))
    if not FULL and calls > TRIED:
        numbers = sorted(random.Random(f"{SEED} {case}").sample(numbers, TRIED))
    problems = []
    while numbers:
        tried = run(shim, case, [str(n) for n in numbers])
        outcomes = [line.split() for line in tried.stdout.splitlines()]
        for n, outcome, *leaked in outcomes[: len(numbers)] if tried.returncode == 0 else outcomes[:-1]:
            if leaked != ["0"]:
                problems.append(f"allocation {n}: {outcome}, {leaked} blocks are leaked")
        if tried.returncode == 0:
            assert len(outcomes) == len(numbers)
            break
        last = int(outcomes[-1][0]) if outcomes else numbers[0]
        problems.append(f"allocation {last}: exit status {tried.returncode}, {tried.stderr.strip()[-300:]}")
        numbers = [n for n in numbers if n > last]
    assert not problems, "\n".join(problems)
