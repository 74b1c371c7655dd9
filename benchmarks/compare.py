"""striate beside PyTorch and other peers: the same networks, process after process in turn.

    pip install torch==2.13.0          # the CPU build
    python benchmarks/compare.py
    pip install onnxruntime openvino onnx keras
    python benchmarks/compare.py --peers keras,onnxruntime,openvino

A row is a network; PyTorch runs channels first, channels last, (in training) with plain and fused Adam, and with
`torch.compile`, and the best of them counts. Each round starts a process for each contender, one after the other, all
with the same number of threads; the figure is the median over the rounds. A training step is forward, loss, backward
and Adam on a batch that is taken from an array in memory: `fit` in striate and Keras, the usual loop in PyTorch.
Compiling is not counted. ONNX Runtime and OpenVINO run the network that PyTorch exports, for inference. Ratios above 1
mean that striate is faster, and memory ratios that it takes less: the peak of the whole process, beside that of the
contender whose time counts.

"limit ms" is the time that the direct algorithm needs at the peak of multiply-adds and at the bandwidth of a copy, both
measured in each round (limits.py), in the fastest round. "of limit" is that time as a share of striate's.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from networks import NETWORKS

HERE = Path(__file__).parent
TORCH = {
    "train": ("torch-first", "torch-last", "torch-first-fused", "torch-last-fused", "torch-last-fused-compiled"),
    "batch": ("torch-first", "torch-last", "torch-last-compiled"),
    "one": ("torch-first", "torch-last", "torch-last-compiled"),
}
PEERS = {"keras": "Keras", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
TRAINED = ("keras",)  # the peers that train
TITLES = {"train": "training step", "batch": "inference, batch", "one": "inference, one image"}
LIMIT = "limit"  # the contender that is the machine itself
LONGEST = 600  # seconds of a process, compiling included

Result = dict[str, float]


def run(framework: str, network: str, measure: str, args: argparse.Namespace) -> Result | None:
    """What a contender needs, or nothing where one that may fail has failed."""
    threads = str(args.threads)
    env = dict(os.environ, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, STRIATE_NUM_THREADS=threads)
    command = [sys.executable, str(HERE / "worker.py"), framework, network, measure,
               "--seconds", str(args.seconds), "--threads", threads]  # fmt: skip
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=LONGEST)
        failure = done.stderr if done.returncode else ""
    except subprocess.TimeoutExpired:
        failure = f"no result after {LONGEST} s"
    if not failure:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    if framework in ("striate", LIMIT) or (framework.startswith("torch") and "compiled" not in framework):
        raise SystemExit(f"{framework} {network} {measure} failed:\n{failure}")
    last = (failure.strip().splitlines() or ["without a word"])[-1]
    print(f"{framework} {network} {measure} skipped: {last[:200]}", file=sys.stderr, flush=True)
    return None


def measured(contenders: list[str], network: str, measure: str, args: argparse.Namespace) -> dict[str, Result]:
    """The median over the rounds of each contender that ran, and the least of the limit: what disturbs raises it."""
    results: dict[str, list[Result]] = {contender: [] for contender in contenders}
    failed = set()
    for _ in range(args.rounds):
        for contender in contenders:
            if contender in failed:
                continue
            result = run(contender, network, measure, args)
            if result is None:
                failed.add(contender)
            else:
                results[contender].append(result)
    return {
        contender: {
            key: (min if contender == LIMIT else statistics.median)(row[key] for row in rows) for key in rows[0]
        }
        for contender, rows in results.items()
        if contender not in failed
    }


def families(measure: str, peers: list[str]) -> dict[str, tuple[str, ...]]:
    """Name -> contenders, of which the best counts."""
    chosen = {PEERS[peer]: (peer,) for peer in peers if measure != "train" or peer in TRAINED}
    return {"PyTorch": TORCH[measure], **chosen}


def table(measure: str, peers: list[str], args: argparse.Namespace) -> None:
    groups = families(measure, peers)
    head = [TITLES[measure], "batch", "striate ms", "MB", "limit ms", "of limit"]
    for name, group in groups.items():
        head += [f"{name} ms", *(["its best"] if len(group) > 1 else []), "ratio", "memory ratio"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in groups}
    shares: list[float] = []
    for network in args.networks:
        contenders = ["striate", LIMIT, *(c for group in groups.values() for c in group)]
        results = measured(contenders, network, measure, args)
        ours, limit = results["striate"], results[LIMIT]["ms"]
        shares.append(limit / ours["ms"])
        batch = 1 if measure == "one" else NETWORKS[network].batch
        cells = [network, str(batch), f"{ours['ms']:.3f}", f"{ours['peak_mb']:.0f}", f"{limit:.3f}",
                 f"{100 * shares[-1]:.0f} %"]  # fmt: skip
        for name, group in groups.items():
            ran = [contender for contender in group if contender in results]
            if not ran:
                cells += ["–"] * 3
                continue
            best = min(ran, key=lambda contender: results[contender]["ms"])
            ratio = results[best]["ms"] / ours["ms"], results[best]["peak_mb"] / ours["peak_mb"]
            ratios[name].append(ratio)
            cells += [f"{results[best]['ms']:.3f}", *([best.removeprefix("torch-")] if len(group) > 1 else []),
                      *(f"{value:.2f}" for value in ratio)]  # fmt: skip
        print(f"| {' | '.join(cells)} |", flush=True)
    cells = ["geometric mean", "", "", "", "", f"{100 * math.exp(statistics.fmean(map(math.log, shares))):.0f} %"]
    for name, group in groups.items():
        means = [geometric_mean([pair[index] for pair in ratios[name]]) for index in (0, 1)]
        cells += ["", *([""] if len(group) > 1 else []), *means]
    print(f"| {' | '.join(cells)} |\n")


def geometric_mean(values: list[float]) -> str:
    return f"{math.exp(statistics.fmean(map(math.log, values))):.2f}" if values else "–"


def installed(peers: list[str]) -> list[str]:
    found = []
    for peer in peers:
        if peer not in PEERS:
            raise SystemExit(f"unknown peer {peer!r}; there are {', '.join(PEERS)}")
        try:
            print(f"{PEERS[peer]} {version(peer)}")
            found.append(peer)
        except PackageNotFoundError:
            print(f"{PEERS[peer]} is not installed: left out")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=list(NETWORKS), type=lambda text: text.split(","),
                        help="comma-separated; default: all")  # fmt: skip
    parser.add_argument("--measures", default="train,batch,one")
    parser.add_argument("--peers", default="", help=f"comma-separated, beside PyTorch: {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of measuring in each process")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of every contender")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out, which takes minutes")
    args = parser.parse_args()
    if args.no_compile:
        for measure, contenders in TORCH.items():
            TORCH[measure] = tuple(c for c in contenders if "compiled" not in c)

    import torch

    import striate as st

    print(f"striate {st.__version__} ({st.isa()}) against PyTorch {torch.__version__}, {args.threads} threads each, "
          f"median of {args.rounds} rounds")  # fmt: skip
    peers = installed([peer for peer in args.peers.split(",") if peer])
    print()
    for measure in args.measures.split(","):
        table(measure, peers, args)


if __name__ == "__main__":
    main()
