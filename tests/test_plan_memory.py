"""Plans of several batch sizes run in one workspace: the same bits as alone, in the memory of the largest."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from random_graphs import graphs
from striate.layers import (
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)

SIZES = (5, 2, 7, 1, 7, 5, 6, 2, 3, 4, 9, 8, 9)


def network(seed=0):
    """Maps of many geometries, with halos: a residual, a concatenation, a transposed convolution."""
    x = Input((12, 12, 3))
    y = Conv2D(16, 3, padding="same", activation="relu")(x)
    z = Conv2D(16, 3, padding="same")(y) + y
    small = Conv2D(8, 3, padding="same", activation="tanh")(MaxPooling2D(2)(z))
    back = Conv2DTranspose(8, 2, strides=2)(small)
    out = Conv2D(4, 5, padding="same")(Concatenate()([z, back]))
    return st.Model(x, Dense(3)(Dropout(0.2)(GlobalAveragePooling2D()(out))), seed=seed)


def data(rows=9, shape=(12, 12, 3)):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, *shape)).astype(np.float32), rng.normal(size=(rows, 3)).astype(np.float32)


def test_predictions_of_changing_batch_sizes_have_the_bits_of_a_model_of_their_own():
    x, _ = data()
    model = network()
    for n in SIZES:
        np.testing.assert_array_equal(model.predict_on_batch(x[:n]), copy.deepcopy(model).predict_on_batch(x[:n]))
    maps = model.feature_maps(x[:4])
    for name, value in copy.deepcopy(model).feature_maps(x[:4]).items():
        np.testing.assert_array_equal(maps[name], value)


@given(graph=graphs(), sizes=hs.lists(hs.integers(1, 4), min_size=2, max_size=5))
def test_passes_of_random_networks_have_the_bits_of_a_model_of_their_own(graph, sizes):
    arrays = graph.arrays([shape[1:] for shape in _listed(graph.model.input_shape)], 0)
    arrays = [np.concatenate([array] * 4)[:4] for array in arrays]
    for n in sizes:
        part = [array[:n] for array in arrays]
        fresh = copy.deepcopy(graph.model)
        for call in (st.Model.predict_on_batch, lambda model, x: model.forward(x, training=True), _gradients):
            for one, other in zip(_listed(call(graph.model, part)), _listed(call(fresh, part)), strict=True):
                np.testing.assert_array_equal(one, other)


def test_steps_of_changing_batch_sizes_have_the_bits_of_a_trainer_of_their_own():
    x, y = data()
    model = network()
    model.compile(st.optimizers.SGD(0.1), "mse")
    for n in SIZES:
        fresh = copy.deepcopy(model)
        assert model.train_on_batch(x[:n], y[:n]) == fresh.train_on_batch(x[:n], y[:n])
        assert model.test_on_batch(x[n:] if n < 9 else x, y[n:] if n < 9 else y) == pytest.approx(
            copy.deepcopy(model).test_on_batch(x[n:] if n < 9 else x, y[n:] if n < 9 else y), abs=0
        )
        for weight, other in zip(model.get_weights(), fresh.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)


def test_forward_and_backward_of_changing_batch_sizes_have_the_bits_of_a_model_of_their_own():
    x, g = data()
    model = network()
    for n in SIZES:
        fresh = copy.deepcopy(model)
        np.testing.assert_array_equal(model.forward(x[:n]), fresh.forward(x[:n]))
        model.predict(x[: n + 1])  # must not touch what backward() reads
        np.testing.assert_array_equal(model.backward(g[:n]), fresh.backward(g[:n]))
        for name, gradient in fresh.gradients().items():
            np.testing.assert_array_equal(model.gradients()[name], gradient)


def test_threads_that_predict_other_batch_sizes_have_workspaces_of_their_own():
    x, _ = data()
    model = network()
    right = {n: copy.deepcopy(model).predict_on_batch(x[:n]) for n in range(1, 10)}
    wrong: list[int] = []

    def work(seed):
        for n in np.random.default_rng(seed).integers(1, 10, 60):
            if not np.array_equal(model.predict_on_batch(x[:n]), right[n]):
                wrong.append(int(n))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


MEASURED = """
import os, resource, sys
import numpy as np
import striate as st

def used():
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

model = st.models.unet(({size}, {size}, 1), classes=2, base=16, depth=2, seed=0)
x = np.zeros((16, {size}, {size}, 1), np.float32)
y = np.zeros((16, {size}, {size}), np.int64)
model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True))
call = {calls}
start = used()
call(16)
one = used() - start
for n in range(9, 17):
    call(n)
print(one, used() - start)
"""


@pytest.mark.parametrize(
    ("call", "size"),
    [
        ("model.predict_on_batch(x[:n])", 320),  # predicted image by image
        ("model.train_on_batch(x[:n], y[:n])", 128),
        ("model.feature_maps(x[:n], 'bottom_conv2')", 480),
    ],
)
def test_many_batch_sizes_take_about_the_memory_of_the_largest(call, size):
    code = MEASURED.format(calls=f"lambda n: {call}", size=size)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    one, all_of_them = map(float, done.stdout.split())
    assert one > 30
    # Plans keep prepared weights of their own: of small models 16 MB in any case.
    assert all_of_them < 1.2 * one + 24, f"{one:.0f} MB for the largest batch, {all_of_them:.0f} MB for eight sizes"


def _gradients(model, part):
    return [*_listed(model.backward(model.forward(part))), *model.gradients().values()]


def _listed(value):
    return value if isinstance(value, list) else [value]
