"""Times training steps on a GPU, beside PyTorch's where that has one too: python tools/gpu_times.py OUT.json

Each network of benchmarks/networks.py with its batch and with eight times that. PyTorch computes in plain float32 (no
TF32), channels first and last, with fused Adam; the better one counts. The file is written anew after each row, so that
a run that is stopped leaves what it measured. A ratio above 1 means that striate is faster.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from networks import NETWORKS, Network, build_striate, build_torch, striate_loss
from worker import data, per_call

# The least ratio to PyTorch's time: networks that are bound by launches, and those that are bound by arithmetic.
ACCEPTED = {"tiny": 2.0, "lenet": 2.0, "course": 2.0, "vgg": 0.7, "resnet18": 0.7, "unet": 0.7}
BATCHES = 4


def striate_ms(network: Network, seconds: float, device: str) -> float:
    import striate as st

    model = build_striate(network)
    model.device = device
    x, y = data(network, BATCHES)
    model.compile(st.optimizers.Adam(1e-3), striate_loss(network))
    epoch = lambda: model.fit(x, y, batch_size=network.batch, epochs=1, shuffle=False, verbose=0)  # noqa: E731
    return per_call(epoch, seconds, BATCHES)


def torch_ms(network: Network, seconds: float) -> float | None:
    """The better of two layouts, or None where PyTorch has no GPU."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    loss_of = torch.nn.CrossEntropyLoss()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    times = []
    for layout in (torch.contiguous_format, torch.channels_last):
        model = build_torch(network).to("cuda", memory_format=layout).train()
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        arrays = data(network, BATCHES)
        x = torch.from_numpy(arrays[0]).permute(0, 3, 1, 2).to("cuda").contiguous(memory_format=layout)
        y, b = torch.from_numpy(arrays[1]).to("cuda"), network.batch

        def epoch(x: Any = x, y: Any = y, b: int = b, model: Any = model, optimizer: Any = optimizer) -> None:
            for i in range(0, b * BATCHES, b):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(model(x[i : i + b]), y[i : i + b])
                loss.backward()
                optimizer.step()
                loss.item()

        times.append(per_call(epoch, seconds, BATCHES))
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--networks", nargs="+", default=list(ACCEPTED), choices=list(NETWORKS))
    parser.add_argument("--times", nargs="+", type=int, default=[1, 8], help="of the batch")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    import striate as st

    rows: list[dict[str, Any]] = []
    for name in args.networks:
        for times in args.times:
            network = dataclasses.replace(NETWORKS[name], batch=NETWORKS[name].batch * times)
            own, other = striate_ms(network, args.seconds, args.device), torch_ms(network, args.seconds)
            ratio = None if other is None else other / own
            accepted = None if ratio is None or name not in ACCEPTED else ratio >= ACCEPTED[name]
            rows.append(
                {
                    "network": name,
                    "batch": network.batch,
                    "striate ms": own,
                    "torch ms": other,
                    "ratio": ratio,
                    "accepted": accepted,
                }
            )
            print(json.dumps(rows[-1]), flush=True)
            args.out.write_text(json.dumps({"version": st.__version__, "rows": rows}, indent=1) + "\n")
    refused = [f"{row['network']} x {row['batch']}" for row in rows if row["accepted"] is False]
    print("slower than accepted: " + (", ".join(refused) or "none"))


if __name__ == "__main__":
    main()
