"""The profile of a training step and of a prediction."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import striate as st
from striate import _core
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D, ReLU
from striate.profiling import Profile

rng = np.random.default_rng(8)
LIMITS = (1e11, [(float(1 << 18), 4e10), (float(1 << 24), 1e10)])


@pytest.fixture(autouse=True)
def known_limits(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Measuring the machine takes a while, and most tests need only some numbers."""
    if "limits" not in request.node.name:
        monkeypatch.setattr(_core, "measure_limits", lambda: LIMITS)
    yield


def network() -> st.Sequential:
    model = st.Sequential(
        [
            Input((12, 12, 3)),
            Conv2D(16, 3, padding="same", name="first"),
            BatchNormalization(name="norm"),
            ReLU(),
            MaxPooling2D(2),
            Dropout(0.3),
            Conv2D(8, 3, name="second"),
            Flatten(),
            Dense(5, name="out"),
        ],
        seed=3,
        name="net",
    )
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def data(count: int = 70) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, (count, 12, 12, 3), dtype=np.uint8), rng.integers(0, 5, count)


def everything(model: st.Model) -> list[bytes]:
    """All that training changes."""
    core = model._compiled("test")._settle()
    state = [*model.get_weights(), *model.gradients().values(), *(core.slot(i) for i in range(core.slot_count))]
    return [np.asarray(core.iteration).tobytes(), *(array.tobytes() for array in state)]


def check_sums(profile: Profile) -> None:
    assert profile.between >= 0
    assert sum(row.seconds for row in profile.rows) + profile.between == pytest.approx(profile.seconds)
    assert sum(row.share for row in profile.rows) + profile.between / profile.seconds == pytest.approx(1)
    for row in profile.rows:
        assert row.seconds > 0
        assert row.rate == pytest.approx((row.flops or row.bytes) / row.seconds)
        assert row.of_limit == pytest.approx(row.rate / row.limit)
        assert row.threads in (1, profile.threads)


def test_prediction(capsys: pytest.CaptureFixture[str]) -> None:
    model = network()
    x, _ = data()
    want = model.predict(x)
    profile = model.profile(x, batch_size=16, steps=3)
    check_sums(profile)
    assert (profile.training, profile.batch_size, profile.runs) == (False, 16, 3)
    assert profile.threads == st.get_num_threads()
    assert {row.pass_ for row in profile.rows} == {"input", "forward"}
    steps = [row.what for row in profile.rows]
    assert (steps[0], steps[-1]) == ("gather inputs", "write outputs")
    flops = {row.layer: row.flops for row in profile.rows if row.what.startswith("convolution")}
    assert flops["first"] == 2 * 16 * 144 * 27 * 16
    assert flops["second"] == 2 * 16 * 16 * 144 * 8
    for row in profile.rows:
        assert row.limit == (LIMITS[0] if row.flops else LIMITS[1][row.bytes > (1 << 21)][1])
    assert str(profile) in capsys.readouterr().out
    assert np.array_equal(model.predict(x), want)


def test_training_step_names_its_passes_and_layers() -> None:
    model = network()
    x, y = data()
    profile = model.profile(x, y, batch_size=32, steps=2)
    check_sums(profile)
    assert profile.training
    assert list(dict.fromkeys(row.pass_ for row in profile.rows)) == ["input", "forward", "loss", "backward", "update"]
    layers = {row.layer for row in profile.rows if row.pass_ == "backward"}
    assert {"first", "norm", "second", "out"} <= layers
    assert all(row.layer == "" for row in profile.rows if row.pass_ in ("input", "loss", "update"))
    assert all(row.what != "write outputs" for row in profile.rows)  # nobody reads them in a training step
    weights = [row for row in profile.rows if row.what == "convolution to weights" and row.layer == "first"]
    assert sum(row.flops for row in weights) == 2 * 32 * 144 * 27 * 16


@pytest.mark.parametrize("trained", [False, True])
def test_training_step_leaves_no_trace_in_the_model(trained: bool) -> None:
    model, twin = network(), network()
    x, y = data()
    for one in (model, twin):
        if trained:
            one.fit(x, y, epochs=2, verbose=0)
        else:  # gradients exist from the first pass on
            one.forward(x[:2])
    model._compiled("test").optimizer.learning_rate = twin._compiled("test").optimizer.learning_rate = 0.01
    before = everything(model)
    model.profile(x, y, batch_size=16, steps=5)
    assert everything(model) == before
    for one in (model, twin):
        one.fit(x, y, epochs=2, verbose=0)
    assert everything(model) == everything(twin)
    assert np.array_equal(model.predict(x), twin.predict(x))


def test_state_is_restored_after_an_exception() -> None:
    """Ctrl-C between two runs."""
    model = network()
    x, y = data()
    model.fit(x, y, verbose=0)
    before = everything(model)
    killer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    killer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.profile(x, y, batch_size=64, steps=100_000)
    finally:
        killer.join()
    assert everything(model) == before
    model.fit(x, y, verbose=0)


def test_a_batch_is_at_most_all_rows() -> None:
    model = network()
    x, y = data(10)
    assert model.profile(x, y, steps=2).batch_size == 10
    assert model.profile(x[:1], batch_size=None, steps=2).batch_size == 1


def test_trace(tmp_path: Path) -> None:
    model = network()
    x, y = data()
    before = st.get_num_threads()
    path = tmp_path / "trace.json"
    try:
        st.set_num_threads(3)
        profile = model.profile(x, y, batch_size=64, steps=4, trace=path)
    finally:
        st.set_num_threads(before)
    assert profile.threads == 3
    events = json.loads(path.read_text())["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert names == {0: "thread 0", 1: "thread 1", 2: "thread 2"}
    slices = [event for event in events if event["ph"] == "X"]
    assert {event["args"]["run"] for event in slices} == {0, 1, 2, 3}
    assert {event["cat"] for event in slices} == {"input", "forward", "loss", "backward", "update"}
    assert "first: convolution" in {event["name"] for event in slices}
    for thread in names:
        mine = sorted((event["ts"], event["dur"]) for event in slices if event["tid"] == thread)
        for (start, length), (following, _) in itertools.pairwise(mine):
            assert length >= 0 and start + length <= following + 1e-3  # microseconds
    for run in range(4):
        assert len({event["args"]["step"] for event in slices if event["args"]["run"] == run}) == len(profile.rows)


def test_limits_are_measured() -> None:
    flops, copies = _core.measure_limits()
    assert flops > 1e8
    sizes = [size for size, _ in copies]
    assert sizes == sorted(sizes) and len(sizes) > 1
    assert all(rate > 1e7 for _, rate in copies)


def test_bad_arguments() -> None:
    model = network()
    x, y = data()
    with pytest.raises(ValueError, match="profile: steps must be at least 1, got 0"):
        model.profile(x, steps=0)
    with pytest.raises(ValueError, match="profile: batch_size must be at least 1, got -1"):
        model.profile(x, batch_size=-1)
    with pytest.raises(ValueError, match=r"expects input of shape \(N, 12, 12, 3\)|profile: x"):
        model.profile(x[:, :5])
    with pytest.raises(ValueError, match=r"empty|at least"):
        model.profile(x[:0])
    with pytest.raises(ValueError, match="profile: x has 70 rows, y has 3"):
        model.profile(x, y[:3])
    bare = st.Sequential([Input((12, 12, 3)), Flatten(), Dense(2)], seed=0)
    with pytest.raises(ValueError, match="profile: the model is not compiled"):
        bare.profile(x, y)
    with pytest.raises(OSError):
        model.profile(x, steps=1, trace="/no/such/folder/trace.json")
