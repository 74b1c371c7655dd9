"""Trainings that end badly, for `tests/test_distributed.py`: `python mpi_failures.py HOW`. Process 1 fails.

With HOW "lasts" nothing fails: `tests/test_lost_processes.py` sends a signal to one of the processes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from typing import Any

import numpy as np

import striate as st
from striate.layers import Dense, Flatten, Input

HOW = sys.argv[1]
TIMEOUT = float(os.environ.get("TIMEOUT", "5"))
st.distributed.init(timeout=TIMEOUT)
FAILS = st.distributed.rank() == 1
(X, Y), _ = st.data.load_digits()
X, Y = X[:128], Y[:128]
# Wide layers are sent in other ways than small ones: a part waits until the other process asks for it.
hidden = [Dense(int(os.environ["WIDTH"]))] if "WIDTH" in os.environ else []
model = st.Sequential([Input((8, 8, 1)), Flatten(), *hidden, Dense(10)], seed=0)
model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
calls = 0


def augment(images: Any, rows: Any, epoch: int) -> Any:
    global calls
    calls += 1
    if HOW == "lasts" and calls == 1:
        print("trains", st.distributed.rank(), os.getpid(), flush=True)
    if not FAILS or calls < 4:
        return images
    if HOW == "raise":
        raise OSError("a damaged picture")
    if HOW == "exit":
        os._exit(3)
    if HOW == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if HOW == "stop":
        print("stopping", os.getpid(), flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    if HOW == "slow":
        time.sleep(0.5)
    if HOW == "hang":
        time.sleep(1000)
    if HOW in ("term", "interrupt") and calls == 4:
        os.kill(os.getpid(), signal.SIGTERM if HOW == "term" else signal.SIGINT)
    return images


class InCallback(st.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if HOW == "callback":
            raise OSError("no space left")
        if HOW == "evaluate":
            print("evaluated", self.model.evaluate(X, Y, verbose=0)[1] >= 0)  # type: ignore[attr-defined]


given: dict[str, Any] = {"augment": augment, "callbacks": [InCallback()]}
if HOW == "metric":

    def fails(y_true: Any, y_pred: Any) -> Any:
        if FAILS:
            raise ZeroDivisionError("in a metric")
        return np.zeros(len(y_true))

    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=[fails])
if HOW == "validation":
    given = {"validation_data": (X[:40], np.where(FAILS, 10, Y[:40]))}
if HOW == "data" and FAILS:
    X = X[1:]
    Y = Y[1:]
if HOW == "values" and FAILS:
    X = X + np.uint8(1)
if HOW == "argument" and FAILS:
    given["epochs"] = 2
if HOW == "together":
    for number in range(3):
        if number == 0 and FAILS:
            model.set_weights([array + 1 for array in model.get_weights()])
        labels = np.where(number == 1 and FAILS, 10, Y[:40])
        try:  # with other weights; with wrong labels; each for itself
            value = model.evaluate(X[:40], labels, verbose=0, distributed=number < 2)
            print(st.distributed.rank(), number, value[0] > 0.0, flush=True)
        except (ValueError, st.distributed.DistributedError) as error:
            print(st.distributed.rank(), number, f"{type(error).__name__}: {error}", flush=True)
        if number == 0 and FAILS:
            model.set_weights([array - 1 for array in model.get_weights()])
    sys.exit(0)
if HOW == "slow":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0, augment=augment)
    print(st.distributed.rank(), [str(warning.message) for warning in caught])
    sys.exit(0)
if HOW == "outside" and FAILS:
    raise LookupError("before fit")
if HOW == "lasts":
    given.update(epochs=100_000, validation_data=(X[:40], Y[:40]))
try:
    model.fit(X, Y, **{"batch_size": 16, "epochs": 4, "verbose": 0, **given})
except BaseException as error:
    print(f"{st.distributed.rank()} {type(error).__name__}: {error} | {model.optimizer.iterations}", flush=True)
    if HOW in ("term", "interrupt"):
        sys.exit(0)
    if not isinstance(error, (st.distributed.DistributedError, ValueError)):
        raise
else:
    print(f"{st.distributed.rank()} done", flush=True)
