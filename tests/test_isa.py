"""All instruction sets that this machine has give the same results, but for rounding."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import striate
from layer_cases import CASES
from numeric import relative_error

HERE = Path(__file__).parent
ISAS = striate.available_isas()


def run(code: list[str], isa: str) -> subprocess.CompletedProcess[str]:
    # Where striate was found, the other process finds it too.
    paths = [str(HERE), str(Path(striate.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "STRIATE_ISA": isa, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run([sys.executable, *code], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, np.ndarray]]:
    """What `isa_outputs.py` gives on an instruction set, computed once."""
    known: dict[str, dict[str, np.ndarray]] = {}

    def of(isa: str) -> dict[str, np.ndarray]:
        if isa not in known:
            path = tmp_path_factory.mktemp(isa) / "outputs.npz"
            done = run([str(HERE / "isa_outputs.py"), str(path)], isa)
            assert done.returncode == 0, done.stderr
            with np.load(path) as arrays:
                known[isa] = dict(arrays)
        return known[isa]

    return of


def test_best_one_is_first_and_scalar_is_always_there() -> None:
    assert ISAS[-1] == "scalar"
    assert striate.isa() == (os.environ.get("STRIATE_ISA") or ISAS[0])


@pytest.mark.parametrize("isa", ISAS)
def test_forced_one_is_active(isa: str, outputs: Callable[[str], dict[str, np.ndarray]]) -> None:
    assert str(outputs(isa)["isa"]) == isa


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa != "scalar"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer)
def test_layers_agree_with_scalar(case, isa: str, outputs: Callable[[str], dict[str, np.ndarray]]) -> None:  # type: ignore[no-untyped-def]
    want = {key: value for key, value in outputs("scalar").items() if key.startswith(f"{case.layer}/")}
    got = outputs(isa)
    assert len(want) >= 4
    for key, value in want.items():
        error = relative_error(got[key], value.astype(np.float64), max(case.floor, 1e-6))
        assert error <= 3 * case.tolerance, key


@pytest.mark.parametrize("name", ["avx1024", "AVX2", "sse"])
def test_unknown_one_is_an_error_that_names_the_choices(name: str) -> None:
    done = run(["-c", "import striate; striate.isa()"], name)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: ")
    assert f"STRIATE_ISA={name}" in last
    assert all(isa in last for isa in ISAS)


def test_empty_name_chooses_as_none_does() -> None:
    done = run(["-c", "import striate; print(striate.isa())"], "")
    assert done.stdout.strip() == ISAS[0], done.stderr
