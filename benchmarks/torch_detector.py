"""striate's detector and its loss as one writes them in PyTorch.

No loop over images, boxes or pixels, and no shape that depends on the boxes, so that `torch.compile` takes all of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def block(channels: int, filters: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]


class Detector(nn.Module):
    """`striate.models.detector`; gives (N, locations, 5 + classes)."""

    def __init__(self, shape: tuple[int, int, int], classes: int, strides: Sequence[int], base: int = 16) -> None:
        super().__init__()
        self.scales, self.heads = nn.ModuleList(), nn.ModuleDict()
        channels = shape[2]
        for scale in range(int(math.log2(strides[-1])) + 1):
            filters = base * min(2**scale, 8)
            pool: list[nn.Module] = [nn.MaxPool2d(2)] if scale else []
            self.scales.append(nn.Sequential(*pool, *block(channels, filters)))
            channels = filters
            if 2**scale in strides:
                head = nn.Sequential(*block(filters, filters), nn.Conv2d(filters, 5 + classes, 1))
                nn.init.zeros_(head[-1].bias)
                with torch.no_grad():
                    head[-1].bias[4] = math.log(0.01 / 0.99)
                self.heads[str(scale)] = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = []
        for scale, stage in enumerate(self.scales):
            x = stage(x)
            if str(scale) in self.heads:
                maps.append(self.heads[str(scale)](x).flatten(2).transpose(1, 2))
        return torch.cat(maps, dim=1)


def packed(targets: Sequence[tuple[np.ndarray, np.ndarray]]) -> torch.Tensor:
    """(N, M, 5), M the most boxes of an image; class -1 where there is none."""
    out = torch.zeros(len(targets), max(len(labels) for _, labels in targets), 5)
    out[..., 4] = -1
    for image, (boxes, labels) in enumerate(targets):
        out[image, : len(labels), :4] = torch.from_numpy(boxes)
        out[image, : len(labels), 4] = torch.from_numpy(labels)
    return out


class DetectionLoss(nn.Module):
    """`striate.losses.DetectionLoss` with its defaults."""

    x: torch.Tensor
    y: torch.Tensor
    stride: torch.Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        strides: Sequence[int],
        gamma: float = 2.0,
        alpha: float = 0.25,
        box_weight: float = 2.0,
        size_limit: float = 4.0,
        radius: float = 1.5,
    ) -> None:
        super().__init__()
        self.strides, self.gamma, self.alpha = tuple(strides), gamma, alpha
        self.box_weight, self.size_limit, self.radius = box_weight, size_limit, radius
        grids = [
            torch.meshgrid(torch.arange(shape[0] // s), torch.arange(shape[1] // s), indexing="ij") for s in strides
        ]
        for name, index in (("y", 0), ("x", 1)):
            parts = [(grid[index].flatten() + 0.5) * s for grid, s in zip(grids, strides, strict=True)]
            self.register_buffer(name, torch.cat(parts))
        sizes = [torch.full((grid[0].numel(),), float(s)) for grid, s in zip(grids, strides, strict=True)]
        self.register_buffer("stride", torch.cat(sizes))

    def assign(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Which box each location answers for, and whether it does: (N, locations) both."""
        x1, y1, x2, y2, label = t[..., None].unbind(2)  # (N, M, 1)
        width, height = x2 - x1, y2 - y1
        side = torch.maximum(width, height)
        own = torch.full_like(side, self.strides[-1])
        for s in reversed(self.strides[:-1]):
            own = torch.where(side <= self.size_limit * s, float(s), own)
        dx, dy = (self.x - 0.5 * (x1 + x2)).abs(), (self.y - 0.5 * (y1 + y2)).abs()
        inside = (self.x >= x1) & (self.x <= x2) & (self.y >= y1) & (self.y <= y2)
        far = torch.maximum(dx, dy)
        at_centre = far < 0.5 * self.stride
        near = (inside & (far <= self.radius * self.stride)) | at_centre
        area = torch.where(near & (own == self.stride) & (label >= 0), width * height, torch.inf)
        least, which = area.min(dim=1)
        return which, least.isfinite()

    def forward(self, p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            which, there = self.assign(t)
            target = t.gather(1, which[..., None].expand(-1, -1, 5))
            mask = there.float()
            share = 1.0 / mask.sum().clamp(min=1.0)
        crossentropy = F.binary_cross_entropy_with_logits(p[..., 4], mask, reduction="none")
        right = torch.exp(-crossentropy)
        weight = torch.where(there, self.alpha, 1 - self.alpha)
        objectness = (weight * (1 - right) ** self.gamma * crossentropy).sum()
        centre = torch.stack([self.x, self.y], dim=1) + p[..., :2] * self.stride[:, None]
        half = 0.5 * p[..., 2:4].clamp(max=8.0).exp() * self.stride[:, None]
        low, high = centre - half, centre + half
        shared = (torch.minimum(high, target[..., 2:4]) - torch.maximum(low, target[..., :2])).clamp(min=0).prod(-1)
        hull = (torch.maximum(high, target[..., 2:4]) - torch.minimum(low, target[..., :2])).prod(-1)
        area = (high - low).prod(-1) + (target[..., 2:4] - target[..., :2]).prod(-1) - shared
        # Where no box is, target and area are of some box or of none: masked before anything is divided by 0.
        giou = shared / area - (hull - area) / hull.clamp(min=1e-9)
        boxes = torch.where(there, 1 - giou, 0.0).sum()
        label = torch.where(there, target[..., 4], 0).long()
        classes = F.cross_entropy(p[..., 5:].flatten(0, 1), label.flatten(), reduction="none")
        return (objectness + self.box_weight * boxes + (classes * mask.flatten()).sum()) * share
