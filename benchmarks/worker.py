"""Times one network in one framework in a process of its own and prints one JSON line; started by compare.py."""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from networks import NETWORKS, Network, build_keras, build_striate, build_torch, striate_loss, strides_of


def per_call(call: Callable[[], Any], seconds: float, calls: int = 1) -> float:
    """The median time of a call in milliseconds; `call` does `calls` of them."""
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


def data(network: Network, batches: int) -> tuple[np.ndarray, Any]:
    rng = np.random.default_rng(0)
    n = network.batch * batches
    x = rng.standard_normal((n, *network.input_shape), dtype=np.float32)
    if not strides_of(network):
        return x, rng.integers(0, network.classes, (n, *network.input_shape[:2]) if network.maps else n)
    # One to eight boxes an image.
    targets = []
    for count in rng.integers(1, 9, n):
        corners, sides = rng.uniform(0, 80, (count, 2)), rng.uniform(8, 48, (count, 2))
        boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
        targets.append((boxes, rng.integers(0, network.classes, count)))
    return x, targets


def run_striate(network: Network, measure: str, seconds: float, batches: int, threads: int) -> float:
    import striate as st

    st.set_num_threads(threads)
    model = build_striate(network)
    x, y = data(network, batches)
    if measure == "train":
        model.compile(optimizer=st.optimizers.Adam(1e-3), loss=striate_loss(network))

        def epoch() -> None:
            model.fit(x, y, batch_size=network.batch, epochs=1, shuffle=False, verbose=0)

        return per_call(epoch, seconds, batches)
    batch = x[:1] if measure == "one" else x[: network.batch]
    return per_call(lambda: model.predict_on_batch(batch), seconds)


def run_limit(network: Network, measure: str, threads: int) -> float:
    """What the peak of multiply-adds and the bandwidth allow; see limits.py."""
    import limits
    import striate as st

    st.set_num_threads(threads)
    batch = 1 if measure == "one" else network.batch
    return 1000 * limits.limit_seconds(build_striate(network), batch, measure == "train", limits.measured_rates())


def run_torch(network: Network, variant: str, measure: str, seconds: float, batches: int, threads: int) -> float:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    memory_format = torch.channels_last if "last" in variant else torch.contiguous_format
    model = build_torch(network).to(memory_format=memory_format)
    run = torch.compile(model) if "compiled" in variant else model
    arrays = data(network, batches)
    x = torch.from_numpy(arrays[0]).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    loss_of: Any
    if strides_of(network):
        import torch_detector

        y = torch_detector.packed(arrays[1])
        loss_of = torch_detector.DetectionLoss(network.input_shape, strides_of(network))
        loss_of = torch.compile(loss_of) if "compiled" in variant else loss_of
    else:
        y = torch.from_numpy(arrays[1])
        loss_of = torch.nn.CrossEntropyLoss()
    b = network.batch
    if measure == "train":
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused="fused" in variant)
        model.train()

        def epoch() -> None:
            for i in range(0, b * batches, b):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(run(x[i : i + b]), y[i : i + b])
                loss.backward()
                optimizer.step()
                loss.item()

        return per_call(epoch, seconds, batches)
    model.eval()
    batch = x[:1] if measure == "one" else x[:b]
    with torch.inference_mode():
        return per_call(lambda: run(batch), seconds)


def run_keras(network: Network, measure: str, seconds: float, batches: int, threads: int) -> float:
    backend = os.environ.setdefault("KERAS_BACKEND", first_installed("tensorflow", "torch", "jax"))
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
    import keras

    keras.utils.set_random_seed(0)
    model = build_keras(network)
    x, y = data(network, batches)
    if measure == "train":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)

        def epoch() -> None:
            model.fit(x, y, batch_size=network.batch, epochs=1, shuffle=False, verbose=0)

        return per_call(epoch, seconds, batches)
    batch = x[:1] if measure == "one" else x[: network.batch]
    return per_call(lambda: model.predict_on_batch(batch), seconds)


def export(network: Network, rows: int, path: Path) -> None:
    import torch

    torch.manual_seed(0)
    x = torch.zeros(rows, network.input_shape[2], *network.input_shape[:2])
    torch.onnx.export(build_torch(network).eval(), (x,), path, dynamo=False, input_names=["x"], output_names=["y"])


def exported(network: Network, measure: str) -> tuple[bytes, np.ndarray]:
    """The network as PyTorch exports it to ONNX, and a batch for it, channels first.

    A process of its own exports, so that PyTorch's memory is not counted.
    """
    rows = 1 if measure == "one" else network.batch
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        subprocess.run([sys.executable, __file__, "export", network.name, measure, "--to", path], check=True)
        return path.read_bytes(), np.ascontiguousarray(data(network, 1)[0][:rows].transpose(0, 3, 1, 2))


def run_onnxruntime(network: Network, measure: str, seconds: float, threads: int) -> float:
    import onnxruntime

    model, x = exported(network, measure)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return per_call(lambda: session.run(None, {"x": x}), seconds)


def run_openvino(network: Network, measure: str, seconds: float, threads: int) -> float:
    import openvino

    model, x = exported(network, measure)
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings).create_infer_request()
    return per_call(lambda: request.infer([x]), seconds)


def first_installed(*names: str) -> str:
    for name in names:
        if importlib.util.find_spec(name):
            return name
    raise SystemExit(f"none of {', '.join(names)} is installed")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("measure", choices=("train", "batch", "one"))
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--to", type=Path, help='where the framework "export" writes')
    args = parser.parse_args()
    network = NETWORKS[args.network]
    if args.framework == "export":
        export(network, 1 if args.measure == "one" else network.batch, args.to)
        return
    batches = 20 if args.network in ("tiny", "lenet") else 4
    if args.framework == "striate":
        ms = run_striate(network, args.measure, args.seconds, batches, args.threads)
    elif args.framework == "limit":
        ms = run_limit(network, args.measure, args.threads)
    elif args.framework == "keras":
        ms = run_keras(network, args.measure, args.seconds, batches, args.threads)
    elif args.framework == "onnxruntime":
        ms = run_onnxruntime(network, args.measure, args.seconds, args.threads)
    elif args.framework == "openvino":
        ms = run_openvino(network, args.measure, args.seconds, args.threads)
    else:
        ms = run_torch(network, args.framework, args.measure, args.seconds, batches, args.threads)
    print(json.dumps({"ms": ms, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
