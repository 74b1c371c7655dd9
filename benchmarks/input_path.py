"""How long a training step waits for its data: images of bytes, with and without augmentation.

    python benchmarks/input_path.py
    python benchmarks/input_path.py --networks tiny,course --seconds 1

Without augmentation the core gathers a batch's rows itself, as the first step of the plan; its share comes from
`Model.profile`, and "outside" is what `fit` spends beside the core's steps. With augmentation a thread of the core
makes the next batch while the step runs. "alone" is what that takes by itself, on one thread, in milliseconds a batch;
"waits" is the share of `fit` in which steps wait for their batches, or help to make them; "slowed" is a step, without
what it waited, beside the step without augmentation, since the thread takes a core from it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import striate as st
import striate._feeding
from networks import NETWORKS, Network, build_striate, striate_loss
from striate._feeding import CoreFeed
from worker import data

AUGMENTATIONS = {
    "flip, crop": {"flip_horizontal": True, "crop": 2},
    "rotation, shift, zoom": {"rotation": 10.0, "shift": 0.1, "zoom": 0.1},
    "all": {"flip_horizontal": True, "rotation": 10.0, "shift": 0.1, "zoom": 0.1, "brightness": 0.1, "contrast": 0.1,
            "noise": 0.02},
}  # fmt: skip


class TimedFeed(CoreFeed):
    """Adds up what the feeds of all epochs have waited."""

    seconds: float = 0.0

    def close(self) -> None:
        super().close()
        TimedFeed.seconds += self.waited


def epochs(fit: Callable[[], Any], steps: int, seconds: float) -> tuple[float, float]:
    """Seconds of a step of `fit`, and of those that it waited for its batch: of the median epoch."""
    fit()
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < end:
        TimedFeed.seconds = 0.0
        start = time.perf_counter()
        fit()
        samples.append(((time.perf_counter() - start) / steps, TimedFeed.seconds / steps))
    return sorted(samples)[len(samples) // 2]


def alone(augment: st.data.Augment, x: np.ndarray, batch: int, seconds: float) -> float:
    """Seconds that the changes of a batch take on one thread: of the median batch."""
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        augment(x[:batch], np.arange(batch), len(samples))
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def row(network: Network, steps: int, seconds: float) -> list[str]:
    rng = np.random.default_rng(0)
    rows = steps * network.batch
    x = rng.integers(0, 256, (rows, *network.input_shape), dtype=np.uint8)
    _, y = data(network, steps)
    model = build_striate(network)
    model.compile(st.optimizers.Adam(1e-3), striate_loss(network))
    # The core alone, on the same batches: what a whole epoch takes beyond it is Python's.
    trainer = model._compiled("benchmark")
    core = trainer._bind(trainer._data(x, y, None, "benchmark"))

    def core_alone() -> None:
        for first in range(0, rows, network.batch):
            core.train_step(first, network.batch)

    step, _ = epochs(core_alone, steps, seconds)
    with contextlib.redirect_stdout(io.StringIO()):
        profile = model.profile(x, y, batch_size=network.batch, steps=20)
    gathered = sum(r.share for r in profile.rows if r.what.startswith("gather"))

    def fit(augment: Any = None) -> None:
        model.fit(x, y, batch_size=network.batch, epochs=1, verbose=0, augment=augment)

    plain, _ = epochs(fit, steps, seconds)
    cells = [network.name, str(network.batch), f"{1e3 * plain:.3f}", f"{100 * gathered:.1f} %",
             f"{100 * max(0.0, 1 - step / plain):.0f} %"]  # fmt: skip
    for options in AUGMENTATIONS.values():
        augment = st.data.Augment(**options)
        whole, waited = epochs(lambda a=augment: fit(a), steps, seconds)
        cells += [f"{1e3 * alone(augment, x, network.batch, seconds / 4):.3f}", f"{1e3 * whole:.3f}",
                  f"{100 * waited / whole:.1f} %", f"{(whole - waited) / plain:.2f}"]  # fmt: skip
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="comma-separated; default: all")
    parser.add_argument("--steps", type=int, default=20, help="of an epoch")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring each figure")
    args = parser.parse_args()
    st.set_num_threads(args.threads)
    striate._feeding.CoreFeed = TimedFeed  # type: ignore[misc]
    print(f"striate {st.__version__} ({st.isa()}), {args.threads} threads, uint8 images, ms of a training step\n")
    head = ["network", "batch", "no augmentation: ms", "gathering", "outside"]
    for name in AUGMENTATIONS:
        head += [f"{name}: alone", "ms", "waits", "slowed"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in args.networks.split(","):
        print(f"| {' | '.join(row(NETWORKS[name], args.steps, args.seconds))} |", flush=True)


if __name__ == "__main__":
    main()
