"""Ctrl-C in each long call: it ends soon after a batch, an image or a piece of work of milliseconds."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers as L

# Seconds from the signal to the exception; a batch takes milliseconds, but the machine may be busy. Each call below
# would take at least ten times as long.
SOON = 2.0


def network(filters: int = 16) -> st.Sequential:
    layers = [
        st.Input((32, 32, 3)),
        L.Conv2D(filters, 3),
        L.Conv2D(filters, 3),
        L.GlobalAveragePooling2D(),
        L.Dense(4, name="scores"),
    ]
    model = st.Sequential(layers, seed=0)
    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def many(count: int) -> np.ndarray[Any, Any]:
    """Images that take memory for a page alone."""
    return np.zeros((count, 32, 32, 3), np.uint8)


def predict(_: Path) -> None:
    network().predict(many(400_000))


def predict_small(_: Path) -> None:
    """Batches of microseconds: many are one call of the core."""
    model = st.Sequential([st.Input((2,)), L.Dense(1)], seed=0)
    model.predict(np.zeros((60_000_000, 2), np.uint8), batch_size=1)


def predict_with_callbacks(_: Path) -> None:
    network().predict(many(400_000), callbacks=[st.callbacks.Callback()])


def evaluate(_: Path) -> None:
    network().evaluate(many(400_000), np.zeros(400_000, np.int64), verbose=0)


def fit(_: Path) -> None:
    network().fit(many(2000), np.zeros(2000, np.int64), epochs=10**6, verbose=0)


def feature_maps(_: Path) -> None:
    network().feature_maps(many(400_000), ["scores"])


def grad_cam(_: Path) -> None:
    network().grad_cam(many(50_000), layer="conv2d")


def profile(_: Path) -> None:
    network().profile(many(64), steps=20_000)


def profile_of_training(_: Path) -> None:
    network().profile(many(64), np.zeros(64, np.int64), steps=20_000)


def augment(_: Path) -> None:
    st.data.Augment(rotation=10)(many(400_000), np.arange(400_000), 0)


def masks(_: Path) -> None:
    st.data.Augment(rotation=10).masks(np.zeros((100_000, 64, 64), np.uint8), np.arange(100_000), 0)


def nms(_: Path) -> None:
    count = 300_000
    boxes = np.arange(count)[:, None] + np.array([0.0, 0.0, 0.5, 0.5])
    st.detection.nms(boxes, np.ones(count), np.zeros(count, np.int64))


def decode(_: Path) -> None:
    maps = np.zeros((3000, 80, 64, 7), np.float32)
    while True:  # one call may end sooner than the signal comes
        st.detection.decode(maps, strides=(8, 16), score_threshold=0.0)


def read_folder(folder: Path) -> None:
    from PIL import Image

    from striate.data._decode import in_threads

    Image.fromarray(np.zeros((64, 64), np.uint8)).save(folder / "image.png")
    list(in_threads(lambda _: st.data.read_image(folder / "image.png"), 1_000_000, False))


CALLS = [
    predict,
    predict_small,
    predict_with_callbacks,
    evaluate,
    fit,
    feature_maps,
    grad_cam,
    profile,
    profile_of_training,
    augment,
    masks,
    nms,
    decode,
    read_folder,
]


@pytest.mark.parametrize("call", CALLS, ids=[call.__name__ for call in CALLS])
def test_ctrl_c(call: Callable[[Path], None], tmp_path: Path) -> None:
    sent = [0.0]

    def interrupt() -> None:
        sent[0] = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.4, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call(tmp_path)
        waited = time.perf_counter() - sent[0]
    finally:
        timer.cancel()
        timer.join()
    assert waited < SOON
