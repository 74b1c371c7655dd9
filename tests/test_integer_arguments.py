"""Every number argument of every public call at its extremes: an error that says so, MemoryError, or the right result.

`integer_probes.py` has the calls and values. A process of its own makes each batch of probes, so that a crash or a hang
is seen; the test then goes on behind the probe that ended it. A sample is tested, another for each STRIATE_SEED; with
FULL=1 all.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import integer_probes

FULL = os.environ.get("FULL") == "1"
# What a sample of a group holds, so that it takes a second or two.
SHARES = {"layers": 0.06, "models": 0.05, "metrics": 0.3, "optimizers": 0.2, "data": 0.2, "runtime": 0.2}
MOST_DEATHS = 5


@pytest.mark.parametrize("group", integer_probes.GROUPS)
def test_extreme_numbers(group: str) -> None:
    share = 1.0 if FULL else SHARES.get(group, 0.5)
    seed = int(os.environ.get("STRIATE_SEED", "0"), 16)
    environment = os.environ | {"STRIATE_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    first, bad = 0, list[str]()
    for _ in range(MOST_DEATHS):
        process = subprocess.run(
            [sys.executable, str(Path(integer_probes.__file__)), group, str(first), str(share), str(seed)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=3600 if FULL else 300,
            check=False,
        )
        lines = process.stdout.splitlines()
        bad += [line for line in lines if line.startswith("BAD")]
        if lines and lines[-1] == "END":
            break
        begun = [line for line in lines if not line.startswith("BAD")]
        assert begun, process.stderr
        bad.append(f"ended the process ({process.returncode}): {begun[-1]} {process.stderr[-500:]}")
        first = int(begun[-1].split()[0]) + 1
    assert not bad, "\n".join(bad)


def test_every_public_call_with_numbers_is_probed() -> None:
    labels = [label.partition("(")[0] for probes in integer_probes.GROUPS.values() for label, _ in probes()]
    for name in ("Conv2D", "Dropout", "SGD", "CosineDecay", "TopKAccuracy", "Augment", "unet", "fit", "decode"):
        assert name in labels
    assert len(labels) > 2000
