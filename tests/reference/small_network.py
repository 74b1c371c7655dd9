"""A convolution, ReLU, 2×2 max pooling and a dense layer under a cross-entropy: value and gradients written out."""

from __future__ import annotations

import numpy as np

from reference.conv2d import conv2d
from reference.losses.crossentropy import log_softmax, sparse_categorical_crossentropy
from reference.padding import windows

Arrays = dict[str, np.ndarray]


def loss(weights: Arrays, x: np.ndarray, labels: np.ndarray) -> float:
    return _pass(weights, x, labels)[0]


def loss_and_gradients(weights: Arrays, x: np.ndarray, labels: np.ndarray) -> tuple[float, Arrays]:
    """`weights` has conv/kernel, conv/bias, dense/kernel and dense/bias."""
    value, z, pooled, logits = _pass(weights, x, labels)
    count = len(x)
    g = (np.exp(log_softmax(logits)) - np.eye(logits.shape[1])[labels]) / count
    gradients = {"dense/kernel": pooled.reshape(count, -1).T @ g, "dense/bias": g.sum(axis=0)}
    g = (g @ weights["dense/kernel"].T).reshape(pooled.shape)
    # Each window passes the gradient on to its largest value, if that is positive.
    height, width = 2 * pooled.shape[1], 2 * pooled.shape[2]
    g = g.repeat(2, axis=1).repeat(2, axis=2)
    first = np.maximum(z, 0)[:, :height, :width] == pooled.repeat(2, axis=1).repeat(2, axis=2)
    g_z = np.zeros_like(z)
    g_z[:, :height, :width] = g * first * (z[:, :height, :width] > 0)
    kernel = weights["conv/kernel"]
    seen = windows(x, kernel.shape[:2], (1, 1), (1, 1), "valid")
    gradients["conv/kernel"] = np.einsum("ijnhwc,nhwo->ijco", seen, g_z)
    gradients["conv/bias"] = g_z.sum(axis=(0, 1, 2))
    return value, gradients


def _pass(weights: Arrays, x: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    z = conv2d(x, kernel=weights["conv/kernel"], bias=weights["conv/bias"])
    pooled = windows(np.maximum(z, 0), (2, 2), (2, 2), (1, 1), "valid").max(axis=(0, 1))
    logits = pooled.reshape(len(x), -1) @ weights["dense/kernel"] + weights["dense/bias"]
    value = float(sparse_categorical_crossentropy(labels, logits, from_logits=True).mean())
    return value, z, pooled, logits
