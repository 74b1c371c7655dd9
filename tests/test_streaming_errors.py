"""What goes wrong while rows and batches are read: errors name the row, threads end, and waiting is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from sources import Loader, Pairs, Sequence, generator
from striate import _ahead, _streaming
from striate._ahead import PREFETCH, Ahead
from striate.data import rows
from striate.layers import Dense, Input

X = np.random.default_rng(0).random((40, 4)).astype(np.float32)
Y = np.arange(40) % 3


def model() -> st.Model:
    made = st.Sequential([Input((4,)), Dense(3)], seed=0)
    made.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return made


def reading() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("striate-")]


class Broken(Pairs):
    """A data set one row of which cannot be read."""

    def __getitem__(self, place: int) -> Any:
        if place == 17:
            raise KeyError("gone")
        return super().__getitem__(place)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_row_that_cannot_be_read_is_named_and_the_threads_end(workers: int) -> None:
    source = rows(Broken(X, Y), workers=workers)
    for call in (model().fit, model().evaluate, model().predict):
        with pytest.raises(RuntimeError, match=r"row 17 of Broken could not be read: KeyError: 'gone'") as caught:
            call(source, batch_size=4, verbose=0)
        assert isinstance(caught.value.__cause__, KeyError)
        assert reading() == []


def test_errors_of_an_iterable_come_out_as_they_are() -> None:
    def failing() -> Any:
        yield X[:8], Y[:8]
        raise OSError("the disk is gone")

    net = model()
    with pytest.raises(OSError, match="the disk is gone"):
        net.fit(failing(), steps_per_epoch=3, verbose=0)
    assert reading() == []
    net.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (lambda: rows([(X[0], 0), (X[1, :3], 1)]), ValueError, r"row 1 of list: its input has shape \(3,\)"),
        (lambda: rows([(X[0], 0), (X[1], 1.5)]), TypeError, "row 1 of list: its target is float64, the first"),
        (lambda: rows([(X[0], 0), (X[1],)]), ValueError, "row 1 of list: its target is not made of the same parts"),
        (lambda: rows([(X[0], 0), (X[1], 7)]), ValueError, "y_true holds the label 7, expected 0 to 2"),
        (lambda: rows([{"x": X[0]}]), TypeError, r"is a dict with the keys \['x'\]; name those of the input"),
        (lambda: rows([{"x": X[0]}], columns=("x", "y")), ValueError, r"has no 'y'.* it has the keys \['x'\]"),
        (lambda: rows([X[0]]), TypeError, r"fit: the list has no targets: its rows are inputs alone"),
        (lambda: rows([(1, 2, 3, 4)]), ValueError, "row 0 of list has 4 entries"),
        (lambda: rows([(X[0, :2], 0)]), ValueError, r"\(1, 2\)"),
        (lambda: Sequence(X), TypeError, r"fit: the Sequence has no targets: its batches are x alone"),
        (lambda: Pairs(X, Y), TypeError, r"items of the Pairs are rows of shape \(4,\), not batches"),
        (lambda: iter([(X, Y)]), ValueError, r"fit: steps_per_epoch: a list_iterator .* pass steps_per_epoch"),
        (lambda: Loader(X[:0], Y[:0]), ValueError, "fit: the Loader gave no batch"),
        (lambda: Sequence(X[:0], Y[:0]), ValueError, "the Sequence has no batch"),
        (lambda: [(X[:4], Y[:4]), (X[:0], Y[:0])], ValueError, "batch 1 of the list has no rows"),
        (lambda: [(X[:4], Y[:4], X[:4], 1)], TypeError, "fit: x is|y must be"),
        (lambda: [(X[:4], Y[:4]), (X[:4], Y[:5])], ValueError, "fit: x has 4 rows, y has 5"),
        (lambda: [(X[:4], Y[:4]), (X[:4], Y[:4] + 5)], ValueError, "y_true holds the label 7"),
    ],
)
def test_what_does_not_fit_is_refused(source: Any, error: type[Exception], message: str) -> None:
    net = model()
    with pytest.raises(error, match=message):
        net.fit(source(), shuffle=False, verbose=0)
    assert reading() == []


def test_arguments_that_do_not_go_with_a_source_are_refused() -> None:
    source, net = rows(Pairs(X, Y)), model()
    for call, message in (
        (lambda: net.fit(source, Y), "gives its own targets; leave y out"),
        (lambda: net.fit(source, sample_weight=Y), "gives its own weights; leave sample_weight out"),
        (lambda: net.fit(Loader(X, Y), sample_weight=Y), "gives its own weights"),
        (lambda: net.fit(Loader(X, Y), validation_split=0.5), "validation_split is for arrays and rows"),
        (lambda: net.fit(Sequence(X, Y), steps_per_epoch=9), "steps_per_epoch=9, but the Sequence has 5 batches"),
        (lambda: net.fit(source, steps_per_epoch=3), r"steps_per_epoch=3 needs 96 rows"),
        (lambda: rows(Pairs(X), workers=0), "rows: workers must be at least 1"),
        (lambda: rows((X, Y[:3])), r"of the same length, got lengths \[40, 3\]"),
        (lambda: rows([]), "rows: the source, list, has no rows"),
        (lambda: rows((X, Y), columns=("x",)), "the source is a tuple of arrays"),
        (lambda: rows([X], columns="xy"), "columns must be the names"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for call, message in (
        (lambda: rows(iter([1])), "expected an object with __len__ and __getitem__"),
        (lambda: rows(source), "the source is one already"),
        (lambda: net.train_on_batch(source, Y), "train_on_batch: x must be an array"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_a_split_of_rows_is_that_of_arrays() -> None:
    one, other = model(), model()
    expected = one.fit(X, Y, validation_split=0.25, verbose=0).history
    assert other.fit(rows((X, Y)), validation_split=0.25, verbose=0).history == expected


def test_a_generator_that_ends_early_ends_training_with_a_warning() -> None:
    batches = ((X[i : i + 8], Y[i : i + 8]) for i in range(0, 40, 8))
    with pytest.warns(UserWarning, match="the generator ended before the 3 batches of steps_per_epoch"):
        history = model().fit(batches, epochs=9, steps_per_epoch=3, verbose=0)
    assert history.epoch == [0, 1]


def test_no_more_batches_are_taken_than_steps_need() -> None:
    source, expected = generator(X, Y), model()
    expected.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    net = model()
    for _ in range(5):
        net.fit(source, steps_per_epoch=2, verbose=0)
    for a, b in zip(net.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_iterable_goes_on_with_steps_and_begins_anew_without() -> None:
    loader, sequence = Loader(X, Y), Sequence(X, Y)
    model().fit(loader, epochs=4, steps_per_epoch=10, verbose=0)
    assert loader.began == 8
    model().fit(loader, epochs=2, validation_data=Loader(X, Y), validation_steps=1, verbose=0)
    assert loader.began == 10
    model().fit(sequence, epochs=3, verbose=0)
    assert sequence.epochs == 3


def test_batches_of_a_sequence_are_shuffled_by_the_seed_and_the_epoch() -> None:
    seen: list[list[int]] = []

    class Told(Sequence):
        def __getitem__(self, number: int) -> Any:
            seen[-1].append(number)
            return super().__getitem__(number)

    class Epochs(st.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append([])

    seen.append([])
    for _ in range(2):
        model().fit(Told(X, Y, batch=2), epochs=2, callbacks=Epochs(), verbose=0)
    assert all(len(numbers) >= 19 for numbers in seen[1:3])  # the first batch was looked at before
    assert seen[2] != seen[1] and seen[1] != sorted(seen[1])


@pytest.mark.skipif(not hasattr(signal, "raise_signal") or os.name != "posix", reason="sends itself SIGINT")
def test_ctrl_c_ends_the_threads() -> None:
    class Waiting(Pairs):
        def __getitem__(self, place: int) -> Any:
            if place == 30:
                timer.start()
                time.sleep(0.5)
            return super().__getitem__(place)

    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    net = model()
    with pytest.raises(KeyboardInterrupt):
        net.fit(rows(Waiting(X, Y), workers=2), shuffle=False, epochs=1000, verbose=0)
    timer.join()
    assert reading() == []
    net.fit(X, Y, verbose=0)


def test_a_thread_that_does_not_return_is_left_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ahead, "_LEAVE", 0.1)
    stuck, free = threading.Event(), threading.Event()

    class Stuck(Pairs):
        def __getitem__(self, place: int) -> Any:
            if place == 4:
                stuck.set()
                free.wait()
            if place == 2:
                stuck.wait()
                raise ValueError("bad")
            return super().__getitem__(place)

    with (
        pytest.warns(RuntimeWarning, match="1 of the threads that read the Stuck did not end within 0.1 s"),
        pytest.raises(RuntimeError, match="row 2 of Stuck"),
    ):
        model().fit(rows(Stuck(X, Y), workers=2), batch_size=2, steps_per_epoch=20, shuffle=False, verbose=0)
    free.set()


def test_waiting_is_told_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Pairs):
        def __getitem__(self, place: int) -> Any:
            time.sleep(0.001)
            return super().__getitem__(place)

    monkeypatch.setattr(_streaming.Waits, "SECONDS", 0.0)
    with pytest.warns(RuntimeWarning, match=r"steps waited for data in \d+% .* the Slow gave .* workers=1") as told:
        history = model().fit(rows(Slow(X, Y)), epochs=3, verbose=0)
    assert len(told) == 1
    assert len(history.wait) == 3 and all(0.05 < share <= 1 for share in history.wait)
    assert "wait" not in history.history
    assert model().fit(X, Y, epochs=2, verbose=0).wait == [0.0, 0.0]


class Numbers:
    """Work whose batches are lists of numbers in memory that is used again."""

    def __init__(self, pieces: list[int], broken: tuple[int, int] | None = None, end: int | None = None) -> None:
        self.counts, self.broken, self.end = pieces, broken, end
        self.memory: list[dict[int, int]] = [{} for _ in range(PREFETCH)]

    def pieces(self, batch: int) -> int:
        return self.counts[batch] if batch < len(self.counts) else 0

    def make(self, batch: int, piece: int) -> bool:
        if (batch, piece) == self.broken:
            raise ValueError(f"{batch} {piece}")
        if batch == self.end:
            return False
        self.memory[batch % PREFETCH][piece] = batch
        return True

    def finish(self, batch: int) -> dict[int, int]:
        return self.memory[batch % PREFETCH]


@given(hs.lists(hs.integers(1, 5), max_size=12), hs.integers(0, 4), hs.data())
def test_batches_come_in_order_whole_and_up_to_the_first_failure(pieces: list[int], workers: int, data: Any) -> None:
    broken = None
    if pieces and data.draw(hs.booleans()):
        batch = data.draw(hs.integers(0, len(pieces) - 1))
        broken = (batch, data.draw(hs.integers(0, pieces[batch] - 1)))
    end = data.draw(hs.none() | hs.integers(0, 12)) if workers <= 1 else None
    last = min(len(pieces), len(pieces) if end is None else end)
    failing = broken is not None and broken[0] <= last - (broken[0] == end)
    ahead = Ahead(Numbers(pieces, broken, end), max(workers, 1), False, "numbers")
    try:
        for batch in range(broken[0] if failing and broken else last):
            made = ahead.next()
            assert made is not None
            assert [made.get(piece) for piece in range(pieces[batch])] == [batch] * pieces[batch]
        if failing and broken:
            with pytest.raises(ValueError, match=f"{broken[0]} {broken[1]}"):
                ahead.next()
        else:
            assert ahead.next() is None
    finally:
        ahead.close()


def test_without_threads_batches_are_read_between_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ahead, "threads_for", lambda count, consequence: 0)
    expected, net, other = model(), model(), model()
    expected.fit(X, Y, epochs=2, verbose=0)
    net.fit(rows(Pairs(X, Y), workers=3), epochs=2, verbose=0)
    other.fit(Loader(X, Y, batch=32), epochs=2, verbose=0)
    for a, b in zip(net.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(RuntimeError, match="row 17 of Broken"):
        other.fit(rows(Broken(X, Y)), verbose=0)


def test_a_batch_can_stop_training_in_the_middle() -> None:
    class Stop(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = batch == 2

    history = model().fit(rows(Pairs(X, Y), workers=2), batch_size=4, epochs=3, callbacks=Stop(), verbose=0)
    assert history.epoch == [0] and reading() == []
