"""Sharing: predict from many threads, training beside it, fork, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.callbacks import Callback
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, ReLU

rng = np.random.default_rng(6)


def network(seed: int = 0, side: int = 16) -> st.Sequential:
    model = st.Sequential(
        [
            Input((side, side, 3)),
            Conv2D(16, 3),
            BatchNormalization(),
            ReLU(),
            Conv2D(16, 3),
            Dropout(0.2),
            Flatten(),
            Dense(5),
        ],
        seed=seed,
    )
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def data(count: int, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(count, side, side, 3)).astype(np.float32), rng.integers(0, 5, count)


def test_predict_from_many_threads() -> None:
    model = network()
    batches = [data(count)[0] for count in (1, 3, 32, 33, 64, 7, 100, 2)] * 4
    want = [model.predict(x) for x in batches]
    with ThreadPoolExecutor(8) as pool:
        for got, expected in zip(pool.map(model.predict, batches), want, strict=True):
            assert np.array_equal(got, expected)


def test_train_different_models_from_many_threads() -> None:
    x, y = data(64)

    def train(seed: int) -> list[np.ndarray]:
        model = network(seed)
        model.fit(x, y, epochs=2, verbose=0)
        return model.get_weights()

    want = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for got, expected in zip(pool.map(train, range(4)), want, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


def test_other_threads_run_while_the_core_computes() -> None:
    """The GIL is released: a counter goes on beside a long prediction."""
    model = network(side=48)
    x = data(600, 48)[0]
    ticks, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    beside = threading.Thread(target=count)
    beside.start()
    try:
        began = time.perf_counter()
        model.predict(x)
        seconds = time.perf_counter() - began
    finally:
        done.set()
        beside.join()
    assert ticks[0] > 20 * seconds


def test_number_of_threads_changes_no_bit() -> None:
    before = st.get_num_threads()
    x, y = data(70)
    results = []
    try:
        for threads in (1, 2, 3, 8):
            st.set_num_threads(threads)
            assert st.get_num_threads() == threads
            model = network()
            history = model.fit(x, y, epochs=2, verbose=0).history
            results.append((history, [w.tobytes() for w in model.get_weights()], model.predict(x).tobytes()))
    finally:
        st.set_num_threads(before)
    assert all(result == results[0] for result in results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_fork_after_use() -> None:
    """In a process of its own: forking beside pytest's threads is another matter."""
    code = """
import os, sys, warnings
import numpy as np, striate as st
from striate.layers import *
warnings.simplefilter("ignore")
model = st.Sequential([Input((16, 16, 3)), Conv2D(16, 3), Flatten(), Dense(5)], seed=0)
model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = np.random.default_rng(0).normal(size=(64, 16, 16, 3)), np.arange(64) % 5
model.fit(x, y, verbose=0)
want = model.predict(x)
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        same = np.array_equal(model.predict(x), want)
        model.fit(x, y, verbose=0)
        os._exit(0 if same else 1)
    children.append(child)
assert np.array_equal(model.predict(x), want)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(max(codes))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


class Interrupt(Callback):
    """Ctrl-C during a step."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after
        self.ended = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == self.after:
            os.kill(os.getpid(), signal.SIGINT)

    def on_train_end(self, logs: Any = None) -> None:
        self.ended = True


def test_ctrl_c_stops_at_the_end_of_a_step() -> None:
    x, y = data(320)
    model, twin = network(), network()
    interrupt = Interrupt(3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=5, verbose=0, callbacks=[interrupt], shuffle=False)
    assert interrupt.ended
    steps = model.optimizer.iterations
    assert 4 <= steps <= 6
    twin.fit(x, y, steps_per_epoch=steps, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert np.array_equal(one, other)
    model.fit(x, y, verbose=0)
    assert np.isfinite(model.predict(x)).all()


@pytest.mark.parametrize("augment", [None, st.data.Augment(rotation=10), lambda images, indices, epoch: images])
def test_ctrl_c_from_outside(augment: Any) -> None:
    """The signal comes while the core computes; the loop without hooks stops too."""
    x, y = data(2000)
    model = network()
    killer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    killer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, epochs=100_000, verbose=0, augment=augment)
    finally:
        killer.join()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    model.fit(x[:64], y[:64], verbose=0)
