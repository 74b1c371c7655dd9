"""Times one network in one framework in a process of its own and prints one JSON line; started by compare.py."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from networks import NETWORKS, Network, build_striate, build_torch


def per_call(call: Callable[[], Any], seconds: float, calls: int = 1) -> float:
    """The median time of a call in milliseconds; `call` stands for `calls` of them."""
    call()
    samples = []
    end = time.perf_counter() + seconds
    while len(samples) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) / calls)
    return 1000 * float(np.median(samples))


def peak_mb() -> float:
    """The largest resident size of this process; `ru_maxrss` would count what its parent had when it started it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def data(network: Network, batches: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    n = network.batch * batches
    x = rng.standard_normal((n, *network.input_shape), dtype=np.float32)
    return x, rng.integers(0, network.classes, n)


def run_striate(network: Network, measure: str, seconds: float, batches: int, threads: int) -> float:
    import striate as st

    st.set_num_threads(threads)
    model = build_striate(network)
    x, y = data(network, batches)
    if measure == "train":
        model.compile(
            optimizer=st.optimizers.Adam(1e-3), loss=st.losses.SparseCategoricalCrossentropy(from_logits=True)
        )

        def epoch() -> None:
            model.fit(x, y, batch_size=network.batch, epochs=1, shuffle=False, verbose=0)

        return per_call(epoch, seconds, batches)
    batch = x[:1] if measure == "one" else x[: network.batch]
    return per_call(lambda: model.predict_on_batch(batch), seconds)


def run_torch(network: Network, variant: str, measure: str, seconds: float, batches: int, threads: int) -> float:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    memory_format = torch.channels_last if "last" in variant else torch.contiguous_format
    model = build_torch(network).to(memory_format=memory_format)
    arrays = data(network, batches)
    x = torch.from_numpy(arrays[0]).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    y = torch.from_numpy(arrays[1])
    b = network.batch
    if measure == "train":
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused="fused" in variant)
        loss_of = torch.nn.CrossEntropyLoss()
        model.train()

        def epoch() -> None:
            for i in range(0, b * batches, b):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(model(x[i : i + b]), y[i : i + b])
                loss.backward()
                optimizer.step()
                loss.item()

        return per_call(epoch, seconds, batches)
    model.eval()
    batch = x[:1] if measure == "one" else x[:b]
    with torch.inference_mode():
        return per_call(lambda: model(batch), seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("measure", choices=("train", "batch", "one"))
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    network = NETWORKS[args.network]
    batches = 20 if args.network in ("tiny", "lenet") else 4
    if args.framework == "striate":
        ms = run_striate(network, args.measure, args.seconds, batches, args.threads)
    else:
        ms = run_torch(network, args.framework, args.measure, args.seconds, batches, args.threads)
    print(json.dumps({"ms": ms, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
