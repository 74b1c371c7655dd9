"""A program that imports libraries in a given order, computes with each, then forks in several ways. Every child
computes with striate and compares the bits with its parent's.

    python tests/fork_children.py numpy,torch,sklearn,striate CHILDREN

Ends with 0 and prints the number of forks if every child ended in time with equal bits.
"""

from __future__ import annotations

import faulthandler
import hashlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ["STRIATE_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "2"
warnings.simplefilter("ignore")  # Python warns of forks beside threads; here they are wanted

SECONDS = 60.0  # that a child may take on a busy machine


# Every child ends itself before its parent gives up, and prints its stacks first: a child that is left over would keep
# open the pipes that the test reads to their end.
PATIENCE = int(SECONDS) - 5
faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)


def main(order: list[str], children: int) -> int:
    for name in order:
        importlib.import_module(name)
        if name in USES:
            USES[name]()
    use_openmp()
    global work
    work = Work()
    forks = 0
    for way in (from_main, from_thread, beside_fit, from_pool):
        for _ in range(children):
            forks += way()
    return forks


def use_torch() -> None:
    import torch

    torch.set_num_threads(2)
    torch.nn.Conv2d(3, 32, 3)(torch.ones(16, 3, 48, 48)).sum().backward()


def use_sklearn() -> None:
    import numpy as np
    from sklearn.cluster import KMeans

    KMeans(4, n_init=1, max_iter=5, random_state=0).fit(np.random.default_rng(0).normal(size=(2000, 8)))


def use_openmp() -> None:
    """A region of two threads in each OpenMP runtime of GNU's that the process has, as a library of C would open it."""
    import ctypes

    with open("/proc/self/maps") as maps:
        runtimes = {line.split()[-1] for line in maps if "libgomp" in line}
    nothing = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)
    for path in sorted(runtimes):
        ctypes.CDLL(path).GOMP_parallel(nothing, None, 2, 0)


USES = {"torch": use_torch, "sklearn": use_sklearn}


class Work:
    """What every child repeats: predictions of a model that its parent used, and training of one of its own."""

    def __init__(self) -> None:
        import numpy as np

        import striate as st
        from striate import layers as L

        self._st = st
        rng = np.random.default_rng(1)
        self.x = rng.normal(size=(16, 32, 32, 3)).astype(np.float32)
        self.y = np.arange(16) % 5
        self.layers = lambda: [
            st.Input((32, 32, 3)),
            L.Conv2D(16, 3, padding="same"),
            L.BatchNormalization(),
            L.ReLU(),
            L.Conv2D(16, 3),
            L.Flatten(),
            L.Dense(5),
        ]
        self.model = st.Sequential(self.layers(), seed=0)
        self.want = self.bits()
        # The weights before and after each step of train().
        observed = self.compiled(5)
        self.states = {digest(observed)}
        note = st.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: self.states.add(digest(observed)))
        self.train(observed, note)

    def compiled(self, seed: int) -> Any:
        model = self._st.Sequential(self.layers(), seed=seed)
        model.compile("adam", self._st.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def train(self, model: Any, *callbacks: Any) -> None:
        model.fit(self.x, self.y, batch_size=8, epochs=40, verbose=0, callbacks=list(callbacks))

    def bits(self) -> list[bytes]:
        trained = self.compiled(3)
        trained.fit(self.x, self.y, batch_size=8, verbose=0, augment=self._st.data.Augment(rotation=10, seed=2))
        return [self.model.predict(self.x).tobytes(), *(weight.tobytes() for weight in trained.get_weights())]

    def right(self) -> bool:
        return self.bits() == self.want


work: Work


def from_main() -> int:
    """A child, and a child of the child."""

    def child() -> bool:
        return work.right() and in_child(work.right)

    expect(in_child(child))
    return 2


def from_thread() -> int:
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(in_child(work.right)))
    thread.start()
    thread.join()
    expect(results == [True])
    return 1


def beside_fit() -> int:
    """While another thread trains: the child has the weights of a whole step, and can train the model itself."""
    model = work.compiled(5)
    thread = threading.Thread(target=work.train, args=(model,))
    thread.start()
    time.sleep(0.02)

    def child() -> bool:
        whole = digest(model) in work.states
        model.fit(work.x, work.y, verbose=0)
        return whole and work.right()

    try:
        expect(in_child(child))
    finally:
        thread.join()
    return 1


def from_pool() -> int:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map_async(is_right, range(2))
        expect(results.get(SECONDS) == [True, True])
    return 2


def digest(model: Any) -> bytes:
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).digest()


def is_right(_: int) -> bool:
    signal.alarm(PATIENCE)
    return work.right()


def in_child(is_right: Callable[[], bool]) -> bool:
    """Whether a child that calls `is_right` says so, and in time."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        code = 1
        try:
            code = 0 if is_right() else 2
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print("a child hangs", file=sys.stderr)
    return False


def expect(right: bool) -> None:
    if not right:
        raise SystemExit("a child was wrong, or did not end")


if __name__ == "__main__":
    print(main(sys.argv[1].split(","), int(sys.argv[2])))
