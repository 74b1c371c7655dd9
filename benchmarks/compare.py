"""striate beside PyTorch: the same networks, process after process in turn.

    pip install torch==2.13.0          # the CPU build
    python benchmarks/compare.py

A row is a network; PyTorch runs channels first, channels last, and (in training) with plain and fused Adam, and the
best of them counts. Each round starts a process for each contender, one after the other; the figure is the median over
the rounds. A training step is forward, loss, backward and Adam on a batch that is taken from an array in memory: `fit`
in striate, the usual loop in PyTorch. Ratios above 1 mean that striate is faster. The last column is the peak memory of
the whole process.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

from networks import NETWORKS

HERE = Path(__file__).parent
TORCH = {
    "train": ("torch-first", "torch-last", "torch-first-fused", "torch-last-fused"),
    "batch": ("torch-first", "torch-last"),
    "one": ("torch-first", "torch-last"),
}
TITLES = {"train": "training step", "batch": "inference, batch", "one": "inference, one image"}


def run(framework: str, network: str, measure: str, args: argparse.Namespace) -> dict[str, float]:
    threads = str(args.threads)
    env = dict(os.environ, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, STRIATE_NUM_THREADS=threads)
    command = [sys.executable, str(HERE / "worker.py"), framework, network, measure,
               "--seconds", str(args.seconds), "--threads", threads]  # fmt: skip
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{framework} {network} {measure} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="comma-separated; default: all")
    parser.add_argument("--measures", default="train,batch,one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of measuring in each process")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()

    import torch

    import striate as st

    print(f"striate {st.__version__} ({st.isa()}) against PyTorch {torch.__version__}, {args.threads} threads each, "
          f"median of {args.rounds} rounds\n")  # fmt: skip
    for measure in args.measures.split(","):
        print(f"| {TITLES[measure]} | batch | striate ms | PyTorch ms | its best | ratio | peak MB (both) |")
        print("|---|---|---|---|---|---|---|")
        ratios = []
        for name in args.networks.split(","):
            contenders = ("striate", *TORCH[measure])
            results: dict[str, list[dict[str, float]]] = {c: [] for c in contenders}
            for _ in range(args.rounds):
                for contender in contenders:
                    results[contender].append(run(contender, name, measure, args))
            ms = {c: statistics.median(r["ms"] for r in rows) for c, rows in results.items()}
            peak = {c: statistics.median(r["peak_mb"] for r in rows) for c, rows in results.items()}
            best = min(TORCH[measure], key=lambda c: ms[c])
            ratios.append(ms[best] / ms["striate"])
            batch = 1 if measure == "one" else NETWORKS[name].batch
            print(f"| {name} | {batch} | {ms['striate']:.3f} | {ms[best]:.3f} | {best.removeprefix('torch-')} | "
                  f"{ratios[-1]:.2f} | {peak['striate']:.0f}, {peak[best]:.0f} |", flush=True)  # fmt: skip
        mean = math.exp(statistics.fmean(math.log(r) for r in ratios))
        print(f"| geometric mean | | | | | {mean:.2f} | |\n")


if __name__ == "__main__":
    main()
