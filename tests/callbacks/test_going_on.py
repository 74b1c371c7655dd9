"""What callbacks remember, over a training that goes on from a file; rates beside schedules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import callbacks, layers
from striate.callbacks import state

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((24, 6)).astype(np.float32), RNG.integers(0, 3, 24)


def network(rate: Any = 1e-3) -> st.Sequential:
    stack = [st.Input((6,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(3, activation="softmax")]
    model = st.Sequential(stack, seed=0)
    model.compile(st.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy")
    return model


class Values(callbacks.Callback):
    """Puts values of its own into the logs, before the callbacks that watch them."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        logs["own_score"] = self.values[epoch]


VALUES = [0.5, 0.4, 0.9, 0.3, 0.2, 0.8, 0.7, 0.6]


def watching(folder: Path) -> list[callbacks.Callback]:
    return [
        Values(VALUES),
        callbacks.ReduceLROnPlateau("own_score", factor=0.5, patience=2, cooldown=1),
        callbacks.EarlyStopping("own_score", patience=5, restore_best_weights=True),
        callbacks.EarlyStopping("loss", patience=50),
        callbacks.ModelCheckpoint(folder / "{epoch}", "own_score", save_best_only=True),
        callbacks.CSVLogger(folder / "log.csv", append=True),
    ]


@pytest.mark.parametrize("cut", range(1, 8))
def test_callbacks_go_on_as_if_there_had_been_no_break(cut: int, tmp_path: Path) -> None:
    folders = [tmp_path / "whole", tmp_path / "parts"]
    whole, first, second = network(), network(), network()
    watched = watching(folders[0])
    logs = whole.fit(X, Y, batch_size=8, epochs=8, verbose=0, callbacks=watched).history
    before = watching(folders[1])
    before[2] = callbacks.EarlyStopping("own_score", patience=5, restore_best_weights=True)
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: st.save_training(first, tmp_path / "state"))
    rates = first.fit(X, Y, batch_size=8, epochs=cut, verbose=0, callbacks=[*before, keep]).history["learning_rate"]
    st.load_training(second, tmp_path / "state")
    after = watching(folders[1])
    history = second.fit(X, Y, batch_size=8, epochs=8, initial_epoch=cut, verbose=0, callbacks=after).history
    assert rates + history.get("learning_rate", []) == logs["learning_rate"]
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], value, err_msg=name)
    for one, other in zip(watched, after, strict=True):
        for name in ("best", "best_epoch", "wait", "cooldown_left", "stopped_epoch"):
            assert getattr(one, name, None) == getattr(other, name, None), name
    assert sorted(path.name for path in folders[0].iterdir()) == sorted(path.name for path in folders[1].iterdir())
    assert (folders[0] / "log.csv").read_text() == (folders[1] / "log.csv").read_text()


def test_rates_of_a_plateau_go_on(tmp_path: Path) -> None:
    def fit(model: st.Sequential, first: int, last: int) -> list[float]:
        reduce = callbacks.ReduceLROnPlateau("own_score", factor=0.5, patience=1)
        options: dict[str, Any] = {"epochs": last, "initial_epoch": first, "callbacks": [Values([1.0] * 9), reduce]}
        rates: list[float] = model.fit(X, Y, verbose=0, **options).history["learning_rate"]
        return rates

    model, again = network(), network()
    rates = fit(model, 0, 2)
    st.save_training(model, tmp_path / "state")
    st.load_training(again, tmp_path / "state")
    rates += fit(again, 2, 4)
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 5e-4, 2.5e-4], rtol=1e-6)
    fit(again, 4, 5)  # a fit that follows begins anew, as in Keras
    assert again.optimizer.learning_rate == pytest.approx(1.25e-4)


def test_a_callback_of_ones_own(tmp_path: Path) -> None:
    class Counts(callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.total, self.table = 0, np.zeros(2, np.float32)

        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            self.total = 0

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            self.total += 1
            self.table = self.table + np.float32(0.5)

        def get_state(self) -> dict[str, Any]:
            return {"total": self.total, "deep": [{"table": self.table}, None, float("inf"), np.float64(0.1)]}

        def set_state(self, state: dict[str, Any]) -> None:
            self.total, self.table = state["total"], state["deep"][0]["table"]
            assert state["deep"][1:] == [None, float("inf"), 0.1]

    one, two, other = Counts(), Counts(), Counts()
    model = network()
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[one])
    st.save_training(model, tmp_path / "state")
    st.load_training(model, tmp_path / "state")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[two, other])
    assert (two.total, two.table.tolist()) == (5, [2.5, 2.5])
    assert (other.total, other.table.tolist()) == (2, [1.0, 1.0])


def test_old_files_and_damaged_states(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "state"
    model.fit(X, Y, verbose=0, callbacks=callbacks.EarlyStopping("loss", restore_best_weights=True))
    core = model._compiled("test")._settle()
    core.save_training(bytes(path), {}, {}, True)  # as files were
    st.load_training(model, path)
    for text in ("{", "[1]", "[{}]", '[{"callback": "EarlyStopping loss", "state": 3}]', "[" * 100_000,
                 '[{"callback": "a", "state": {"striate.array": "no"}}]'):  # fmt: skip
        core.save_training(bytes(path), {"striate.callbacks": text}, {}, True)
        with pytest.raises(ValueError, match=r"cannot load '.*state': the states of callbacks are damaged"):
            st.load_training(model, path)
    good = {"best": 1.0, "best_epoch": 0, "wait": 0, "weights": []}
    for wrong in ({"best": "x"}, {"wait": -1}, {"best_epoch": 0.5}, {"weights": 3}, {"weights": [[1.0]]}):
        entry = {"callback": "EarlyStopping loss", "state": good | wrong}
        core.save_training(bytes(path), {"striate.callbacks": json.dumps([entry])}, {}, True)
        st.load_training(model, path)
        with pytest.raises(ValueError, match="the saved state of EarlyStopping does not fit"):
            model.fit(X, Y, verbose=0, callbacks=callbacks.EarlyStopping("loss", restore_best_weights=True))


def test_states_are_matched_by_class_and_monitor() -> None:
    given = [callbacks.EarlyStopping("loss"), callbacks.EarlyStopping("accuracy"), callbacks.EarlyStopping("loss")]
    for place, callback in enumerate(given):
        callback.wait = place + 1
    states = state.parsed(*state.states_of(given))
    back = [callbacks.EarlyStopping("accuracy"), callbacks.EarlyStopping("loss"), callbacks.History()]
    state.restore(back, states)
    assert [callback.wait for callback in back[:2]] == [2, 1]  # type: ignore[attr-defined]


def test_best_weights_have_their_moving_averages() -> None:
    model = network(0.1)
    seen: list[Any] = []
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.state_dict()))
    stopping = callbacks.EarlyStopping("own_score", patience=9, restore_best_weights=True)
    model.fit(X, Y, epochs=4, verbose=0, callbacks=[Values([0.1, 0.9, 0.2, 0.3]), note, stopping])
    names = list(model.state_dict())
    assert any("moving_mean" in name for name in names)
    for name in names:
        np.testing.assert_array_equal(model.state_dict()[name], seen[1][name])


@pytest.mark.parametrize(
    "callback", [callbacks.ReduceLROnPlateau("loss"), callbacks.LearningRateScheduler(lambda epoch: 0.1)]
)
def test_rates_that_would_replace_a_schedule_are_refused(callback: callbacks.Callback) -> None:
    schedule = st.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    model = network(schedule)
    with pytest.raises(ValueError, match="sets the learning rate, and the optimizer follows a schedule"):
        model.fit(X, Y, verbose=0, callbacks=callback)
    assert model.optimizer.iterations == 0
    model.optimizer.learning_rate = 0.01  # on purpose: from here on there is no schedule
    model.fit(X, Y, verbose=0, callbacks=callback)


class Remembers(callbacks.Callback):
    """Has the state that it is given."""

    def __init__(self, state: Any = None) -> None:
        super().__init__()
        self.given, self.found = state, None

    def get_state(self) -> Any:
        return self.given

    def set_state(self, state: dict[str, Any]) -> None:
        self.found = state


def nested(depth: int) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for _ in range(depth):
        state = {"deep": state}
    return state


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "must return a dict, got 5"),
        ([1], r"must return a dict, got \[1\]"),
        ([], r"must return a dict, got \[\]"),
        ("best", "must return a dict, got 'best'"),
        ({"striate.array": "x"}, "the state must not have 'striate.array' as its only key"),
        ({"a": [{"striate.array": 1}]}, r"the state\['a'\]\[0\] must not have 'striate.array'"),
        ({1: 2}, "the state must have strings as keys, got 1"),
        ({"a": {None: 2}}, r"the state\['a'\] must have strings as keys, got None"),
        ({"a": {1, 2}}, r"the state\['a'\] must hold numbers, .* got set"),
        ({"a": np.ones(2, np.complex64)}, r"the state\['a'\]\[0\] must hold numbers, .* got complex"),
        ({"a": b"x"}, r"the state\['a'\] must hold numbers, .* got bytes"),
        (nested(2000), "is more than 100 lists and dicts deep, or holds itself"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_states_that_could_not_be_read_back_are_refused_when_saving(given: Any, message: str, tmp_path: Path) -> None:
    model, path = network(), tmp_path / "state"
    model.fit(X, Y, verbose=0)
    st.save_training(model, path)
    before = path.read_bytes()
    model.fit(X, Y, verbose=0, callbacks=[callbacks.EarlyStopping("loss"), Remembers(given)])
    with pytest.raises(ValueError, match=rf"Remembers.get_state:? .*{message}"):
        st.save_training(model, path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["state"]


def test_states_come_back_as_they_were(tmp_path: Path) -> None:
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    given = {
        **{"x/y": ones, "x": {"y": zeros}, "a": {"b/c": [ones, zeros]}, "a/b": {"c": [zeros, ones]}, "": ones},
        **{"striate.array": 1, "number": np.float32(0.5), "none": np.zeros((0, 2), np.float32)},
        **{"turned": np.arange(6, dtype=np.float32).reshape(2, 3).T, "scalar": np.array(2, np.float32)},
    }
    model, again = network(), Remembers()
    model.fit(X, Y, verbose=0, callbacks=[Remembers(given), Remembers(None), Remembers({})])
    st.save_training(model, tmp_path / "state")
    st.load_training(model, tmp_path / "state")
    model.fit(X, Y, verbose=0, callbacks=[again])
    assert again.found is not None and list(again.found) == list(given)
    np.testing.assert_equal(again.found, given)
    assert all(again.found[name].shape == given[name].shape for name in ("none", "turned", "scalar"))


def test_files_with_arrays_by_their_keys_are_read(tmp_path: Path) -> None:
    model, path, again = network(), tmp_path / "state", Remembers()
    entry = {"callback": "Remembers", "state": {"x": [{"striate.array": "callbacks/0/x/0"}]}}
    arrays = {"callbacks/0/x/0": np.ones(2, np.float32)}
    core = model._compiled("test")._settle()
    core.save_training(bytes(path), {"striate.callbacks": json.dumps([entry])}, arrays, True)
    st.load_training(model, path)
    model.fit(X, Y, verbose=0, callbacks=[again])
    np.testing.assert_equal(again.found, {"x": [np.ones(2, np.float32)]})
