"""Training that goes on from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import striate as st
from striate import layers


def network(units: int = 3, optimizer: str | st.optimizers.Optimizer = "adam", seed: int = 0) -> st.Sequential:
    model = st.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(units, activation="softmax"),
        ],
        seed=seed,
    )
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((21, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 21)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta", "lion"])
def test_goes_on_bit_for_bit(optimizer: str, data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    whole, parts = network(optimizer=optimizer), network(optimizer=optimizer, seed=5)
    whole.fit(*data, batch_size=8, epochs=2, verbose=0)
    st.save_training(whole, tmp_path / "state")
    st.load_training(parts, tmp_path / "state")
    for model in (whole, parts):
        model.fit(*data, batch_size=8, epochs=2, verbose=0)
    for key, value in whole.state_dict().items():
        np.testing.assert_array_equal(parts.state_dict()[key], value, err_msg=key)


def test_learning_rate_and_schedule(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    schedule = st.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    whole = network(optimizer=st.optimizers.SGD(schedule, momentum=0.9))
    whole.fit(*data, batch_size=8, epochs=3, verbose=0)
    st.save_training(whole, tmp_path / "state")
    other = network(optimizer=st.optimizers.SGD(schedule, momentum=0.9))
    st.load_training(other, tmp_path / "state")
    assert other.optimizer.iterations == 9
    assert other.optimizer.learning_rate == whole.optimizer.learning_rate
    assert other.optimizer.follows_schedule
    whole.optimizer.learning_rate = 0.25
    st.save_training(whole, tmp_path / "state")
    st.load_training(other, tmp_path / "state")
    assert other.optimizer.learning_rate == 0.25 and not other.optimizer.follows_schedule


def test_a_trainer_of_its_own(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    model = network()
    trainer = st.Trainer(model, "adam", "sparse_categorical_crossentropy", seed=11)
    trainer.fit(*data, epochs=1, verbose=0)
    st.save_training(trainer, tmp_path / "state")
    other = st.Trainer(network(), "adam", "sparse_categorical_crossentropy", seed=12)
    st.load_training(other, tmp_path / "state")
    assert other.seed == 11 and other.optimizer.iterations == trainer.optimizer.iterations


def test_errors_leave_all_as_it_was(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    state, model_file = tmp_path / "state", tmp_path / "model"
    model = network()
    model.fit(*data, verbose=0)
    st.save_training(model, state)
    model.save(model_file)
    with pytest.raises(FileExistsError):
        st.save_training(model, state, overwrite=False)
    with pytest.raises(ValueError, match="compile"):
        st.save_training(st.Sequential([layers.Input((2,)), layers.Dense(1)]), state)

    content = state.read_bytes()
    cut, turned = tmp_path / "cut", tmp_path / "turned"
    cut.write_bytes(content[:-8])
    turned.write_bytes(content.replace(b'\\"iteration\\":1', b'\\"iteration\\":x', 1))
    assert turned.read_bytes() != content
    before = model.state_dict()
    steps = model.optimizer.iterations
    for path, message in ((model_file, "no state of a training run"), (cut, "cut"), (turned, "turned")):
        with pytest.raises(ValueError, match=message):
            st.load_training(model, path)
    with pytest.raises(ValueError, match="training with Adam, the trainer's optimizer is SGD"):
        st.load_training(network(optimizer="sgd"), state)
    with pytest.raises(ValueError, match="shape"):
        st.load_training(network(units=4), state)
    with pytest.raises(FileNotFoundError):
        st.load_training(model, tmp_path / "absent")
    assert model.optimizer.iterations == steps
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(before[key], value)
