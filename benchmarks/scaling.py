"""How the time of an image depends on the batch and on the threads.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --networks lenet,course --batches 1,32,512 --seconds 0.5

Prints two Markdown tables, in microseconds an image, training step / inference: over batches on all threads, and over
threads at the network's own batch, with the speed-up over one thread. A training step is forward, loss, backward and
Adam; the figure is the median of the calls. Calls on different numbers of threads take turns, so that a change of the
machine's load meets all of them. Where passes find that one thread is faster, they keep to one whatever is allowed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import striate as st
from networks import NETWORKS, Network, build_striate, striate_loss
from worker import data

FEWEST = 3  # calls of each
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # of threads, as far as they go
Work = tuple[Callable[[], Any], Callable[[], Any]]


def work(network: Network) -> Work:
    """A training step and a prediction of one batch."""
    model = build_striate(network)
    model.compile(st.optimizers.Adam(1e-3), striate_loss(network))
    x, y = data(network, 1)

    def train() -> None:
        model.fit(x, y, batch_size=network.batch, shuffle=False, verbose=0)

    return train, lambda: model.predict_on_batch(x)


def medians(calls: Iterable[tuple[int, Callable[[], Any]]], seconds: float) -> list[float]:
    """Seconds of each call with its number of threads, all taking turns for a while."""
    turns = list(calls)
    samples: list[list[float]] = [[] for _ in turns]
    for threads, call in turns:
        st.set_num_threads(threads)
        call()
    end = time.perf_counter() + seconds * len(turns)
    while len(samples[-1]) < FEWEST or time.perf_counter() < end:
        for taken, (threads, call) in zip(samples, turns, strict=True):
            st.set_num_threads(threads)
            call()  # threads that slept wake up
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in samples]


def over_batches(networks: list[Network], batches: list[int], threads: int, seconds: float) -> None:
    print(
        f"| µs an image, {threads} threads: training / inference | " + " | ".join(f"batch {b}" for b in batches) + " |"
    )
    print("|---|" + "---|" * len(batches))
    for network in networks:
        print(f"| {network.name} |", end="", flush=True)
        for batch in batches:
            calls = work(dataclasses.replace(network, batch=batch))
            pair = [medians([(threads, call)], seconds)[0] for call in calls]
            print(" " + " / ".join(f"{1e6 * taken / batch:.3g}" for taken in pair) + " |", end="", flush=True)
        print()
    print()


def over_threads(networks: list[Network], counts: list[int], seconds: float) -> None:
    heads = [f"{n} thread{'s' * (n > 1)}" for n in counts]
    print("| µs an image: training / inference | batch | " + " | ".join(heads) + " | speed-up |")
    print("|---|---|" + "---|" * (len(counts) + 1))
    for network in networks:
        # A model for each number of threads: what passes learn about sharing is learned for one number.
        works = [work(network) for _ in counts]
        columns = [
            medians([(n, calls[kind]) for n, calls in zip(counts, works, strict=True)], seconds) for kind in (0, 1)
        ]
        cells = [
            " / ".join(f"{1e6 * taken / network.batch:.3g}" for taken in pair) for pair in zip(*columns, strict=True)
        ]
        gain = " / ".join(f"{column[0] / min(column[1:], default=column[0]):.2f}" for column in columns)
        print(f"| {network.name} | {network.batch} | " + " | ".join(cells) + f" | {gain} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="comma-separated; default: all")
    parser.add_argument("--batches", default="1,2,4,8,16,32,64,128,256,512")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="the most")
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring each figure")
    args = parser.parse_args()
    networks = [NETWORKS[name] for name in args.networks.split(",")]
    if args.threads < 1:
        raise SystemExit(f"--threads must be at least 1, got {args.threads}")
    counts = sorted({n for n in COUNTS if n < args.threads} | {args.threads})
    print(f"striate {st.__version__} ({st.isa()})\n")
    over_batches(networks, [int(batch) for batch in args.batches.split(",")], args.threads, args.seconds)
    over_threads(networks, counts, args.seconds)


if __name__ == "__main__":
    main()
