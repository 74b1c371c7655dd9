"""The process around the library: forks, a limit of threads, the end of a program.

FULL=1 makes 500 forks in all orders of imports; otherwise a few, in orders that STRIATE_SEED chooses.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

FULL = os.environ.get("FULL") == "1"
SEED = os.environ.get("STRIATE_SEED", "0")
CHILDREN = Path(__file__).with_name("fork_children.py")
FORKS = 6  # of the program for each child of a way

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and maps of Linux")


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of its own: forks and limits would go on in pytest."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, env={**os.environ, **environment})


def ended_well(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = run(code, *arguments, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def fork_in_orders_of_imports(names: list[str]) -> None:
    orders = list(itertools.permutations(names))
    children = -(-500 // (FORKS * len(orders))) if FULL else 1
    for order in orders if FULL else random.Random(SEED).sample(orders, 1):
        command = [sys.executable, str(CHILDREN), ",".join(order), str(children)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600 if FULL else 250)
        assert done.returncode == 0, f"{order}: {done.stdout}{done.stderr}"
        assert int(done.stdout) == FORKS * children


@forks
@linux
def test_forks_after_openmp_was_used() -> None:
    fork_in_orders_of_imports(["numpy", "striate"])


@forks
@linux
def test_forks_after_torch_and_sklearn_were_used() -> None:
    pytest.importorskip("torch")
    names = ["numpy", "torch", "sklearn", "striate"]
    fork_in_orders_of_imports([name for name in names if importlib.util.find_spec(name)])


MODEL = """
import os, sys, threading, time
import numpy as np, striate as st
from striate import layers as L
def made():
    layers = [st.Input((32, 32, 3)), L.Conv2D(32, 3), L.ReLU(), L.Conv2D(32, 3), L.Flatten(), L.Dense(3)]
    model = st.Sequential(layers, seed=0)
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model
model = made()
x = np.random.default_rng(0).normal(size=(64, 32, 32, 3)).astype(np.float32)
y = np.arange(64) % 3
"""

LIMITED = """
import resource, warnings
def bits(augment):
    model = made()
    model.fit(x, y, verbose=0, augment=augment)
    return [model.predict(x).tobytes(), *(weight.tobytes() for weight in model.get_weights())]
changes = {"none": None, "core": st.data.Augment(rotation=5), "python": lambda images, indices, epoch: images}
augment = changes[sys.argv[1]]
st.set_num_threads(1)
want = bits(augment)
st.set_num_threads(4)
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)  # no limit holds for root
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        assert bits(augment) == want
    model.predict(x)
print(len(caught), *{item.category.__name__ for item in caught}, caught[0].message)
"""


@linux
@pytest.mark.parametrize(("augment", "limit"), [("none", 1), ("none", 3), ("core", 1), ("python", 1)])
def test_no_further_thread_can_be_started(augment: str, limit: int) -> None:
    """Fewer threads give the same bits, and one warning says why."""
    done = ended_well(MODEL + LIMITED, augment, str(limit), OPENBLAS_NUM_THREADS="1")
    count, category, message = done.stdout.split(maxsplit=2)
    assert (int(count), category) == (1, "RuntimeWarning")
    assert "no further thread" in message


@linux
def test_a_warning_of_few_threads_can_be_an_error() -> None:
    """The call ends with it, the model stays as it was, and the next call computes."""
    code = """
import resource, warnings
want = model.predict(x)
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
warnings.simplefilter("error")
before = [weight.tobytes() for weight in model.get_weights()]
st.set_num_threads(7)
try:
    model.fit(x, y, verbose=0)
except RuntimeWarning:
    assert [weight.tobytes() for weight in model.get_weights()] == before
    assert model.optimizer.iterations == 0
    assert np.array_equal(model.predict(x), want)
    print("an error")
"""
    assert ended_well(MODEL + code, OPENBLAS_NUM_THREADS="1", STRIATE_NUM_THREADS="1").stdout == "an error\n"


@pytest.mark.parametrize(
    "call",
    [
        "model.fit(x, y, epochs=10**6, verbose=0)",
        "model.fit(x, y, epochs=10**6, verbose=0, augment=st.data.Augment(rotation=5))",
        "[model.predict(np.zeros((20000, 32, 32, 3), np.uint8)) for _ in range(100)]",
        "[model.evaluate(x, y, verbose=0) for _ in range(10**6)]",
        "[model.grad_cam(x) for _ in range(10**6)]",
        "[model.profile(x, y, steps=1000) for _ in range(10**6)]",
    ],
)
def test_a_program_ends_while_a_daemon_thread_computes(call: str) -> None:
    """Python 3.10 to 3.13 end such a thread where it takes the GIL."""
    end = f"""
threading.Thread(target=lambda: {call}, daemon=True).start()
time.sleep(0.3)
"""
    done = ended_well(MODEL + end)
    assert "terminate" not in done.stderr
