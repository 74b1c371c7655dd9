"""Calls that fail change nothing, and arrays that the caller changes during a training are checked again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import striate as st
from striate import _core
from striate.callbacks import Callback
from striate.data import Augment
from striate.layers import Conv2D, Dense, Flatten, Input

RANDOM = np.random.default_rng(0)


def pixel_network() -> st.Model:
    model = st.Sequential([Input((64, 64, 1)), Conv2D(2, 1)], seed=0)
    model.compile(st.optimizers.SGD(0.1), loss=st.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def weights_of(model: st.Model) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


X = RANDOM.random((8, 64, 64, 1), np.float32)
Y = np.zeros((8, 64, 64), np.int64)
PIXELS = np.ones((8, 64, 64), np.float32)
ROWS = np.ones(8, np.float32)


@pytest.mark.parametrize(("first", "refused", "last"), [(PIXELS, -ROWS, ROWS), (ROWS, -PIXELS, PIXELS)])
def test_refused_sample_weights_change_nothing(first: Any, refused: Any, last: Any) -> None:
    last = RANDOM.random(last.shape, np.float32)
    good, bad = pixel_network(), pixel_network()
    good.fit(X, Y, batch_size=8, verbose=0, sample_weight=first)
    bad.fit(X, Y, batch_size=8, verbose=0, sample_weight=first)
    with pytest.raises(ValueError, match="sample weights must be finite and not negative"):
        bad.fit(X, Y, batch_size=8, verbose=0, sample_weight=refused)
    wanted = good.fit(X, Y, batch_size=8, verbose=0, sample_weight=last).history["loss"]
    assert bad.fit(X, Y, batch_size=8, verbose=0, sample_weight=last).history["loss"] == wanted
    assert weights_of(good) == weights_of(bad)


def contiguous(arrays: list[Any]) -> list[Any]:
    return [np.ascontiguousarray(array) for array in arrays]


def core_trainer() -> tuple[st.Model, _core.Trainer]:
    model = pixel_network()
    assert model._trainer is not None
    return model, model._trainer._settle()


@pytest.mark.parametrize(
    ("inputs", "targets", "weights", "message"),
    [
        ([X[:, :, :32]], [Y], None, "expects input of shape"),
        ([X], [], None, "array\\(s\\) of targets"),
        ([X], [Y[:, :32]], None, "expects targets of shape"),
        ([X], [Y + 2], None, "labels must be within"),
        ([X], [Y], ROWS[:4], "expected 8 sample weights"),
        ([X], [Y], PIXELS[:, :3], "sample weights have shape"),
        ([X], [Y], ROWS * np.nan, "finite and not negative"),
    ],
)
def test_refused_arrays_leave_the_trainer_bound(inputs: Any, targets: Any, weights: Any, message: str) -> None:
    _, core = core_trainer()
    core.bind([X], [Y], [PIXELS])
    wanted = core.test_step(0, 8)
    with pytest.raises(ValueError, match=message):
        core.bind(contiguous(inputs), contiguous(targets), [] if weights is None else contiguous([weights]))
    assert core.test_step(0, 8) == wanted
    core.release()
    with pytest.raises(ValueError, match="bind the arrays"):
        core.test_step(0, 8)
    with pytest.raises(ValueError, match="bind"):
        core.profile([0], 8)


class Changes(Callback):
    """Changes an array of the caller's at the beginning of the second epoch."""

    def __init__(self, array: Any, value: Any) -> None:
        super().__init__()
        self.array, self.value = array, value

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.array[...] = self.value
            self.weights = weights_of(self.model)


@pytest.mark.parametrize("value", [10**9, -1, 10, 2**62, -(2**62)])
@pytest.mark.parametrize("augment", [None, Augment(flip_horizontal=True, seed=0)])
def test_labels_changed_by_a_callback(value: int, augment: Augment | None) -> None:
    model = st.Sequential([Input((4, 4, 1)), Flatten(), Dense(10)], seed=0)
    model.compile("sgd", loss=st.losses.SparseCategoricalCrossentropy(from_logits=True))
    y = np.zeros(64, np.int64)
    changes = Changes(y, value)
    with pytest.raises(ValueError, match=f"changed after training .* got {value}"):
        model.fit(np.ones((64, 4, 4, 1), np.float32), y, epochs=3, verbose=0, callbacks=[changes], augment=augment)
    assert weights_of(model) == changes.weights
    y[:] = 3
    assert len(model.fit(np.ones((64, 4, 4, 1), np.float32), y, epochs=2, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("weights", [ROWS, PIXELS])
def test_sample_weights_changed_by_a_callback(value: float, weights: Any) -> None:
    model, weights = pixel_network(), weights.copy()
    changes = Changes(weights[3:4], value)
    with pytest.raises(ValueError, match=r"changed after training .* finite and not negative"):
        model.fit(X, Y, batch_size=2, epochs=3, verbose=0, sample_weight=weights, shuffle=False, callbacks=[changes])
    assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize(
    "box", [[1, 1, 5, 5, 1e9], [1, 1, 5, 5, np.nan], [1, 1, 5, 5, -1e9], [1, 1, np.inf, 5, 0], [5, 5, 1, 1, 0]]
)
def test_boxes_changed_by_the_caller(box: list[float]) -> None:
    model = st.models.detector((32, 32, 3), 2, seed=1)
    model.compile("sgd", loss=st.losses.DetectionLoss())
    assert model._trainer is not None
    core = model._trainer._settle()
    shape = model._trainer.losses[0]._core.target_shape(model._network.output_shapes[0], "output")
    targets = np.full((2, *shape), -1, np.float32)
    targets[:, 0] = [1, 1, 9, 9, 1]
    core.bind([np.zeros((2, 32, 32, 3), np.float32)], [targets], [])
    wanted = core.test_step(0, 2)
    before = weights_of(model)
    targets[1, 3] = box
    with pytest.raises(ValueError, match="changed after training"):
        core.train_step(0, 2)
    assert weights_of(model) == before
    targets[1, 3] = -1
    assert core.test_step(0, 2) == wanted


def test_row_order_changed_by_the_caller() -> None:
    _, core = core_trainer()
    core.bind([X], [Y], [])
    rows = np.arange(8)
    core.set_rows(rows)
    rows[5] = 2**40
    with pytest.raises(ValueError, match="row 1099511627776 is not within the 8 rows"):
        core.train_step(4, 4)
    assert core.train_step(0, 4) > 0


def test_a_layer_that_does_not_fit_is_not_added() -> None:
    model = st.Sequential([Input((8, 8, 1)), Conv2D(2, 3)], seed=0)
    before = weights_of(model)
    layers = model.layers
    with pytest.raises(ValueError, match="is larger than the map"):
        model.add(Conv2D(2, 9))
    assert model.layers == layers and weights_of(model) == before
    assert model.output_shape == (None, 6, 6, 2)
    model.add(Flatten())
    assert model.output_shape == (None, 72) and weights_of(model) == before


def test_a_failed_rebuild_leaves_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    model = st.Sequential([Input((8, 8, 1)), Conv2D(2, 3, name="a"), Conv2D(2, 3, name="b")], seed=0)
    before, outputs = weights_of(model), model.outputs
    belong = st.layers.Layer._belong

    def failing(layer: Any, owner: Any, place: int) -> None:
        if place == 1:
            raise MemoryError
        belong(layer, owner, place)

    for change in (lambda: model.add(Flatten()), model.pop):
        with monkeypatch.context() as patched:
            patched.setattr(st.layers.Layer, "_belong", failing)
            with pytest.raises(MemoryError):
                change()
        assert [layer.name for layer in model.layers] == ["a", "b"]
        assert model.outputs == outputs and weights_of(model) == before
        assert [layer.get_weights()[0].tobytes() for layer in model.layers] == before[::2]
    layers = model.layers
    model.add(Flatten())
    assert model.layers[:2] == layers and weights_of(model) == before


def test_state_of_training_is_loaded_all_at_once(tmp_path: Any) -> None:
    model = pixel_network()
    model.fit(X, Y, epochs=2, verbose=0)
    model.optimizer.learning_rate = 0.03
    model.fit(X, Y, verbose=0)
    st.save_training(model, tmp_path / "state")
    other = pixel_network()
    st.load_training(other, tmp_path / "state")
    assert other._trainer is not None
    assert other._trainer._epochs == 3 and other.optimizer.learning_rate == 0.03
    assert other.fit(X, Y, verbose=0).history == model.fit(X, Y, verbose=0).history
    (tmp_path / "bad").write_bytes((tmp_path / "state").read_bytes()[:-3])
    before = weights_of(other)
    with pytest.raises(ValueError, match="cannot load"):
        st.load_training(other, tmp_path / "bad")
    with pytest.raises(ValueError, match="cannot load"):
        other.load_weights(tmp_path / "bad")
    assert weights_of(other) == before and other._trainer._epochs == 4
