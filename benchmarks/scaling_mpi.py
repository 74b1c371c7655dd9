"""What several hosts gain: a simulation from a step that is measured here.

python benchmarks/scaling_mpi.py [--model resnet18] [--rows 32] [--threads N] [--faster 8]

measures a training step of one host and prints, for 2 to 1,000 hosts and networks of 1 to 100 Gbit/s, the efficiency in
percent: the share of a step's time in which a host computes. The rows of a host stay the same (weak scaling).

mpirun -n 2 python benchmarks/scaling_mpi.py --exchange 44.7 [--gbit 1] [--latency 1000]

measures the exchange of so many megabytes of gradients between the processes; with the network's rate and latency in
microseconds, beside what the simulation expects.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np

import striate as st
from striate import _core, distributed

HOSTS = (2, 4, 8, 16, 64, 256, 1000)
# Gbit/s, and microseconds that a message takes beside its bytes (TCP over Ethernet; 100 Gbit/s: RDMA).
NETWORKS = ((1, 50.0), (10, 25.0), (25, 15.0), (100, 5.0))
PAYLOAD = 0.94  # of the line rate: the rest are headers of Ethernet, IP and TCP
# How often a message's latency is paid in a phase of the direct exchange: its messages are under way together, and a
# host hands them over one after the other, which takes this share of the latency each.
HANDOVER = 0.1
BY_NAME = 64  # processes up to which small messages go to each peer (striate.distributed)


def exchange_seconds(size: float, hosts: int, gbit: float, latency: float) -> float:
    """The exchange of a step: twice `size` bytes less a host's own slice, in two phases, and the status before it.

    Args:
        size: bytes of the gradients.
        hosts: number of processes, each on a host of its own.
        gbit: rate of a host's link, in Gbit/s.
        latency: microseconds of a message.
    """
    if hosts == 1:
        return 0.0
    rate = gbit * 1e9 / 8 * PAYLOAD
    phase = size * (hosts - 1) / hosts / rate + latency * 1e-6 * (1 + HANDOVER * (hosts - 2))
    status = latency * 1e-6 * (1 + HANDOVER * (hosts - 2) if hosts <= BY_NAME else math.log2(hosts))
    return 2 * phase + status


def efficiency(step: float, size: float, hosts: int, gbit: float, latency: float, add_rate: float) -> float:
    """The share of a step that a host computes.

    Args:
        step: seconds of the step of one host.
        add_rate: bytes of gradients that a host adds in a second.
    """
    adds = size * (hosts - 1) / hosts / add_rate
    return step / (step + adds + exchange_seconds(size, hosts, gbit, latency))


def network(name: str, rows: int) -> tuple[Any, Any, Any]:
    """A model, and a batch for it."""
    rng = np.random.default_rng(0)
    if name == "resnet18":
        model, side, channels = st.models.resnet18((32, 32, 3), classes=10, seed=0), 32, 3
    elif name == "cnn":
        model, side, channels = st.models.cnn((28, 28, 1), classes=10, seed=0), 28, 1
    else:
        raise SystemExit(f"--model must be resnet18 or cnn, got {name}")
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = rng.normal(size=(rows, side, side, channels)).astype(np.float32)
    return model, x, rng.integers(0, 10, rows)


def measured_step(model: Any, x: Any, y: Any, seconds: float) -> float:
    """The median of a training step's seconds."""
    core = model._compiled("benchmark")._settle()
    core.bind([x], [y.astype(np.int64)], [])
    core.train_step(0, len(x))
    times: list[float] = []
    while sum(times) < seconds or len(times) < 5:
        began = time.perf_counter()
        core.train_step(0, len(x))
        times.append(time.perf_counter() - began)
    core.release()
    return float(np.median(times))


def measured_add(size: int = 1 << 22) -> float:
    """Bytes of gradients that are added in a second."""
    one, other = np.zeros(size, np.float32), np.ones(size, np.float32)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        np.add(one, other, out=one)
        times.append(time.perf_counter() - began)
    return 4 * size / min(times)


def print_table(step: float, size: float, add_rate: float) -> None:
    print(f"{'hosts':>5} " + " ".join(f"{gbit:>4} Gbit" for gbit, _ in NETWORKS))
    for hosts in HOSTS:
        shares = [efficiency(step, size, hosts, gbit, latency, add_rate) for gbit, latency in NETWORKS]
        print(f"{hosts:>5} " + " ".join(f"{100 * share:>7.0f} %" for share in shares))


def exchange_of(megabytes: float, repeats: int) -> tuple[distributed.Group, float]:
    """The median seconds of a step's exchange, from a model of that size whose computation is left out."""
    distributed.init()
    group = distributed.group()
    if group is None or group.size == 1:
        raise SystemExit("--exchange needs several processes: mpirun -n 2 python benchmarks/scaling_mpi.py ...")
    units = max(1, round(megabytes * 1e6 / 4 / 1024) - 1)
    model = st.Sequential([st.layers.Input((1024,)), st.layers.Dense(units)], seed=0)
    model.compile("sgd", "mse")
    core: _core.Trainer = model._compiled("benchmark")._settle()
    rows = group.size
    core.bind([np.zeros((rows, 1024), np.float32)], [np.zeros((rows, units), np.float32)], [])
    times = []
    for exchange in (None, group):
        core.set_shards(rows if exchange is not None else 1, exchange)
        each = []
        for _ in range(repeats):
            group.share(None)  # begin together
            began = time.perf_counter()
            core.train_step(0, rows) if exchange is not None else core.train_step(0, 1)
            each.append(time.perf_counter() - began)
        times.append(float(np.median(each[1:])))
    core.set_shards(1, None)
    return group, times[1] - times[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--rows", type=int, default=32, help="rows of each host")
    parser.add_argument("--threads", type=int, default=st.get_num_threads())
    parser.add_argument("--faster", type=float, default=1.0, help="hosts are so many times as fast as this one")
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring")
    parser.add_argument("--exchange", type=float, default=0.0, help="megabytes, under mpirun")
    parser.add_argument("--gbit", type=float, default=0.0)
    parser.add_argument("--latency", type=float, default=0.0, help="microseconds of a message")
    given = parser.parse_args()
    if given.exchange:
        group, seconds = exchange_of(given.exchange, 12)
        if group.main:
            print(f"{given.exchange} MB between {group.size} processes: {1e3 * seconds:.1f} ms")
            if given.gbit:
                expected = exchange_seconds(given.exchange * 1e6, group.size, given.gbit, given.latency)
                print(f"simulated: {1e3 * expected:.1f} ms, {100 * (seconds / expected - 1):+.0f} %")
        return
    st.set_num_threads(given.threads)
    model, x, y = network(given.model, given.rows)
    step = measured_step(model, x, y, given.seconds) / given.faster
    size = 4 * model._compiled("benchmark")._settle().slot(0).size
    add_rate = measured_add() * given.faster
    print(f"{given.model}, {given.rows} rows a host: {1e3 * step:.1f} ms a step, {size / 1e6:.1f} MB of gradients")
    print_table(step, size, add_rate)


if __name__ == "__main__":
    main()
