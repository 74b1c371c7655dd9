"""Training in several processes under a real MPI launcher: bits, failures, agreement, and going on elsewhere."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import mpi

HERE = Path(__file__).parent
TRAINING, FAILURES = HERE / "mpi_training.py", HERE / "mpi_failures.py"
FULL = os.environ.get("FULL") == "1"
HOST = socket.gethostname()
pytestmark = pytest.mark.timeout(900)  # several processes may have one busy core


@pytest.mark.parametrize("kind", ("classify", "segment", "two"))
def test_the_number_of_processes_does_not_change_the_bits(kind: str) -> None:
    """Weights, optimizer, moving averages, history and metrics; 0 is one process without a launcher."""
    found = {}
    for processes, threads in ((0, 2), (2, 1), (3, 2), *(((1, 1), (4, 1)) if FULL else ())):
        lines = mpi.ended_well(processes, TRAINING, kind, 4, STRIATE_NUM_THREADS=str(threads))
        assert [line.split()[0] for line in lines] == [str(rank) for rank in range(max(processes, 1))]
        found[processes] = {line.split()[1] for line in lines}
    assert len(set.union(*found.values())) == 1, found


def test_rows_that_are_read_when_they_are_due_give_the_bits_of_arrays() -> None:
    runs = ((0, "classify"), (2, "rows"), *(((0, "rows"), (3, "rows"), (4, "rows")) if FULL else ()))
    found = {line.split()[1] for processes, kind in runs for line in mpi.ended_well(processes, TRAINING, kind, 4)}
    assert len(found) == 1, found


def test_more_shards_than_processes_divide_unevenly() -> None:
    lines = [*mpi.ended_well(0, TRAINING, "classify", 6), *mpi.ended_well(4, TRAINING, "classify", 6)]
    assert len({line.split()[1] for line in lines}) == 1, lines


def test_a_killed_training_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    whole = mpi.ended_well(0, TRAINING, "killed", 4, tmp_path / "whole")
    done = mpi.run(3, TRAINING, "killed", 4, tmp_path / "killed", STEP="8")  # in the second of three epochs
    assert done.returncode == 137 and "rank 0" in done.stderr, done.stderr
    assert (tmp_path / "killed" / "training.safetensors").exists()
    resumed = mpi.ended_well(2, TRAINING, "killed", 0, tmp_path / "killed")  # shards are the backup's
    assert {line.split()[1] for line in resumed} == {line.split()[1] for line in whole}


def failing(how: str, processes: int = 3, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    return mpi.run(processes, FAILURES, how, TIMEOUT=str(timeout))


@pytest.mark.parametrize(
    ("how", "message", "steps"),
    (
        ("raise", f"DistributedError: rank 1 (host {HOST}), step 3: OSError: a damaged picture", 3),
        ("metric", f"DistributedError: rank 1 (host {HOST}): ZeroDivisionError: in a metric", 8),
        ("callback", f"DistributedError: rank 0 (host {HOST}): OSError: no space left", 8),
        ("validation", f"DistributedError: rank 1 (host {HOST}): ValueError: [SparseCategorical", 0),
        ("data", f"ValueError: fit: the data must be the same in all processes: rank 0 (host {HOST}) has", 0),
        ("values", "ValueError: fit: the data must be the same in all processes", 0),
        ("argument", "ValueError: fit: epochs must be the same in all processes", 0),
    ),
)  # fmt: skip
def test_an_error_in_one_process_is_raised_in_all_after_the_same_step(how: str, message: str, steps: int) -> None:
    done = failing(how)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = sorted(done.stdout.splitlines())
    assert len(lines) == 3 and {line[0] for line in lines} == {"0", "1", "2"}, done.stdout
    for line in lines:
        assert message in line and line.endswith(f"| {steps}"), line


@pytest.mark.parametrize(
    ("how", "code", "message"),
    (
        ("exit", 3, r"Process name: \[.*,1\]"),
        ("kill", 137, "rank 1"),
        ("outside", 1, rf"\[rank 1 \(host {HOST}\)\] Traceback[\s\S]*LookupError: before fit"),
    ),
)
def test_a_process_that_ends_ends_all(how: str, code: int, message: str) -> None:
    done = failing(how, timeout=60.0)
    assert done.returncode == code and re.search(message, done.stderr), (done.returncode, done.stderr)


@pytest.mark.parametrize("how", ("stop", "hang"))
def test_a_process_that_does_not_answer_is_named_after_the_timeout(how: str) -> None:
    done = failing(how, timeout=4.0)
    assert done.returncode == 75, (done.returncode, done.stderr)
    assert re.search(rf"rank 1 \(host {HOST}\).* did not answer for 4 seconds", done.stderr), done.stderr


@pytest.mark.parametrize(("how", "error"), (("term", "SystemExit: 143"), ("interrupt", "KeyboardInterrupt: ")))
def test_a_signal_to_one_process_stops_all_after_the_same_step(how: str, error: str) -> None:
    done = failing(how)
    lines = sorted(done.stdout.splitlines())
    assert done.returncode == 0 and len(lines) == 3, done.stdout + done.stderr
    assert {line[2:] for line in lines} == {lines[0][2:]} and error in lines[0], lines


def test_a_process_that_others_wait_for_is_named() -> None:
    lines = sorted(failing("slow").stdout.splitlines())
    assert len(lines) == 3, lines
    waited = rf"fit: rank \d \(host {HOST}\) waited \d+% of .* mostly for rank 1 \(host {HOST}\): give that one"
    assert len(re.findall(waited, lines[0])) == 1 and lines[2] == "2 []", lines
    assert not re.search("waited .* for the others", lines[1]), lines


def test_what_cannot_be_evaluated_together_is_refused_in_all() -> None:
    done = failing("together")
    lines = sorted(done.stdout.splitlines())
    assert done.returncode == 0 and len(lines) == 9, done.stdout + done.stderr
    for rank in range(3):
        weights, data, alone = lines[3 * rank : 3 * rank + 3]
        assert f"{rank} 0 ValueError: evaluate: the weights must be the same in all processes: rank 0" in weights
        assert f"{rank} 1 DistributedError: rank 1 (host {HOST}): ValueError: Accuracy 'accuracy': y_true" in data
        assert f"{rank} 2 True" in alone


def test_callbacks_of_process_0_may_evaluate() -> None:
    done = failing("evaluate")
    assert sorted(set(done.stdout.splitlines())) == ["0 done", "1 done", "2 done", "evaluated True"], done.stderr


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "program.py"
    path.write_text(text)
    return path


FIT = """
(x, y), _ = st.data.load_digits()
model = st.Sequential([st.layers.Input((8, 8, 1)), st.layers.Flatten(), st.layers.Dense(10)], seed=0)
model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True))
"""


def test_a_launcher_without_init_is_warned_of(tmp_path: Path) -> None:
    text = f"""
import warnings, striate as st
{FIT}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2): model.fit(x[:64], y[:64], verbose=0)
print(len(caught), caught[0].message)
"""
    lines = mpi.ended_well(2, program(tmp_path, text))
    said = "1 fit: this is process {} of 2, and striate.distributed.init() was not called: each process trains a model"
    assert [line.startswith(said.format(rank)) for rank, line in enumerate(lines)] == [True, True], lines


def test_processes_that_would_compute_other_bits_are_refused(tmp_path: Path) -> None:
    text = """
import os
if os.environ["OMPI_COMM_WORLD_RANK"] == "1": os.environ[{0!r}] = {1!r}
import striate as st
try: st.distributed.init()
except st.distributed.DistributedError as error: print(error)
"""
    for name, value, message in (
        ("STRIATE_FUSION", "0", r"rank 0 \(host .*\) has STRIATE_FUSION 1, rank 1 .* has 0; .*: make them alike"),
        ("STRIATE_ISA", "scalar", r"has instruction set .*, rank 1 .* has scalar; .*: set STRIATE_ISA=\w+ for all"),
    ):
        lines = mpi.ended_well(2, program(tmp_path, text.format(name, value)))
        assert len(lines) == 2 and all(re.search(message, line) for line in lines), lines


def test_one_process_needs_no_launcher(tmp_path: Path) -> None:
    text = """
import sys, striate as st
st.distributed.init()
print(st.distributed.rank(), st.distributed.size(), st.distributed.is_main(), "mpi4py" in sys.modules)
st.distributed.finalize()
"""
    assert mpi.ended_well(0, program(tmp_path, text)) == ["0 1 True False"]
    done = subprocess.run([sys.executable, "-c", "import striate as st; st.distributed.init(timeout=0)"], **WHAT)
    assert "timeout must be a number of seconds above 0, got 0" in done.stderr


WHAT = {"capture_output": True, "text": True, "timeout": 100, "check": False}


def test_fewer_shards_than_processes_are_refused(tmp_path: Path) -> None:
    text = f"""
import striate as st
st.distributed.init()
{FIT}
for given in (dict(x=x, y=y, shards=1), dict(x=[(x, y)])):
    try: model.fit(**given)
    except (ValueError, st.distributed.DistributedError) as error: print(error)
"""
    lines = mpi.ended_well(2, program(tmp_path, text))
    assert sum("shards must be at least the number of processes, 2, got 1" in line for line in lines) == 2, lines
    assert sum("are for arrays, memory maps and rows" in line for line in lines) == 2, lines


def test_the_command_line_trains_in_one_process(tmp_path: Path) -> None:
    pytest.importorskip("click")
    done = mpi.run(2, "-m", "striate", "train", "--out", tmp_path / "run", "--epochs", "1")
    assert done.returncode != 0 and done.stderr.count("the command line trains in one alone") >= 1, done.stderr
    assert not (tmp_path / "run").exists()
