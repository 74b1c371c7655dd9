"""The network of `striate train --model cnn` on Fashion-MNIST in PyTorch, for comparison.

    apt install dataset-fashion-mnist && pip install torch==2.13.0
    striate train /usr/share/datasets/fashion-mnist --model cnn --epochs 8 --batch-size 64 --validation-split 0
    python benchmarks/fashion_mnist.py --epochs 8

The same layers, initialisation, batch size, optimizer (fused Adam, 0.002) and cosine schedule, channels last, all
cores; one line per epoch with its time, and the accuracy on the 10,000 test images at the end.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

from striate.data import load_idx


def block(channels: int, filters: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]


def network() -> nn.Sequential:
    model = nn.Sequential(
        *block(1, 32), *block(32, 32), nn.MaxPool2d(2), nn.Dropout(0.25),
        *block(32, 64), *block(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(64 * 49, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Linear(128, 10))  # fmt: skip
    for module in model:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    return model.to(memory_format=torch.channels_last)


def as_tensor(images: np.ndarray) -> torch.Tensor:
    channels_first = torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2)
    return channels_first.contiguous(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    (x_train, y_train), (x_test, y_test) = load_idx(args.folder)
    x, y = as_tensor(x_train), torch.from_numpy(y_train)
    model, loss_of = network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3, fused=True)
    steps = args.epochs * -(-len(x) // args.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(args.epochs):
        start = time.perf_counter()
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(args.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        print(
            f"epoch {epoch + 1}/{args.epochs}  loss {total / len(x):.4f}  {time.perf_counter() - start:.1f} s",
            flush=True,
        )
    model.eval()
    with torch.inference_mode():
        predicted = torch.cat([model(part).argmax(1) for part in as_tensor(x_test).split(500)]).numpy()
    print(f"test accuracy {100 * (predicted == y_test).mean():.2f} %")


if __name__ == "__main__":
    main()
