"""How the time of an image depends on the batch, on the threads, on the size of the map and on the channels.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --of networks --networks lenet,course --batches 1,32,512 --seconds 0.5
    python benchmarks/scaling.py --of convolutions --convolutions 3x3,grouped --picture scaling.png

Of networks, it prints two Markdown tables, in microseconds an image, training step / inference: over batches on all
threads, and over threads at the network's own batch, with the speed-up over one thread. A training step is forward,
loss, backward and Adam; the figure is the median of the calls. Calls on different numbers of threads take turns, so
that a change of the machine's load affects all of them. A pass that is faster on one thread uses one thread.

Of single convolutions (3x3, 1x1, depthwise 3x3, and grouped 3x3 with two channels a group), it prints a table for each
of three axes: the batch (32x32, 64 channels), the side of the map (one image, 64 channels), and the channels (8 images
of 32x32). It names adjacent sizes between which the time of a multiply-add differs by more than a factor of 1.4, and
saves a picture of the curves. "predict" is a prediction; "train" is the forward pass and the gradients to the input and
to the weights, without loss and optimizer.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import sizes
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
    parser.add_argument("--of", default="networks,convolutions", help="comma-separated; default: both")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="comma-separated; default: all")
    parser.add_argument("--batches", default="1,2,4,8,16,32,64,128,256,512")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="the most")
    parser.add_argument("--seconds", type=float, default=1.0, help="of measuring each figure")
    parser.add_argument("--convolutions", default=",".join(sizes.KINDS), help="comma-separated; default: all")
    parser.add_argument("--measures", default=",".join(sizes.MEASURES), help="of convolutions; default: both")
    parser.add_argument("--sides", default="32,48,64,96,128,192,256,384,512", help="of the map, in pixels")
    parser.add_argument("--channels", default=",".join(map(str, range(16, 82, 2))))
    parser.add_argument("--picture", type=Path, default=Path("scaling.png"), help="of the convolutions' curves")
    args = parser.parse_args()
    kinds, measures, of = args.convolutions.split(","), args.measures.split(","), args.of.split(",")
    for option, given, known in (("--of", of, ("networks", "convolutions")), ("--convolutions", kinds, sizes.KINDS),
                                 ("--measures", measures, sizes.MEASURES), ("--networks", args.networks.split(","),
                                                                            tuple(NETWORKS))):  # fmt: skip
        for name in given:
            if name not in known:
                raise SystemExit(f"{option}: unknown {name!r}; there are {', '.join(known)}")
    networks = [NETWORKS[name] for name in args.networks.split(",")]
    if args.threads < 1:
        raise SystemExit(f"--threads must be at least 1, got {args.threads}")
    counts = sorted({n for n in COUNTS if n < args.threads} | {args.threads})
    batches, sides, channels = (
        [int(value) for value in text.split(",")] for text in (args.batches, args.sides, args.channels)
    )
    print(f"striate {st.__version__} ({st.isa()})\n")
    if "networks" in of:
        over_batches(networks, batches, args.threads, args.seconds)
        over_threads(networks, counts, args.seconds)
    if "convolutions" in of:
        st.set_num_threads(args.threads)
        print()
        axes = {"batch": batches, "side": sides, "channels": channels}
        sizes.over_sizes(kinds, measures, axes, args.seconds, args.picture)


if __name__ == "__main__":
    main()
