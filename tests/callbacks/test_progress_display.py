"""What is shown of progress, and where nothing is."""

from __future__ import annotations

import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from striate import progress
from striate.callbacks import CallbackList, ProgressBar
from striate.progress import Display, choose_display


class Terminal(io.StringIO):
    def isatty(self):
        return True


def as_terminal(monkeypatch):
    """Make standard output and error a terminal. Not a fixture: pytest sets both anew between fixtures and test."""
    both = SimpleNamespace(out=Terminal(), err=Terminal())
    monkeypatch.setattr(sys, "stdout", both.out)
    monkeypatch.setattr(sys, "stderr", both.err)
    return both


def test_auto_in_a_terminal_is_a_bar(monkeypatch):
    as_terminal(monkeypatch)
    pytest.importorskip("tqdm")
    assert choose_display("auto") is Display.BAR


def test_auto_without_tqdm_is_lines(monkeypatch):
    as_terminal(monkeypatch)
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    assert choose_display("auto") is Display.LINES


def test_auto_elsewhere_is_nothing(monkeypatch):
    as_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert choose_display("auto") is Display.NOTHING
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    assert choose_display("auto") is Display.NOTHING


def test_auto_in_a_notebook_is_a_bar(monkeypatch):
    pytest.importorskip("tqdm")
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert choose_display("auto") is Display.BAR
    shell.config = {}  # IPython in a pipe
    assert choose_display("auto") is Display.NOTHING


def test_explicit_values(monkeypatch):
    assert choose_display(0) is choose_display(False) is Display.NOTHING
    assert choose_display(2) is Display.LINES
    for wrong in (3, -1, "quiet", None, 1.5):
        with pytest.raises(ValueError, match="verbose must be 'auto', 0, 1 or 2"):
            choose_display(wrong)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"the progress bar \(verbose=1\) needs tqdm: pip install 'striate\[cli\]'"):
        choose_display(1)


def test_the_line_of_an_epoch():
    values = {"loss": 0.12341, "accuracy": np.float32(0.9712), "val_loss": 3, "learning_rate": 1e-5}
    assert progress.format_line("epoch 3/10", values, 4.2) == (
        "epoch 3/10  loss 0.1234  accuracy 0.9712  val_loss 3.0000  learning_rate 1.0000e-05  4.2 s"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (-0.5, "-0.5000"),
        (1e-3, "0.0010"),
        (9.9e-4, "9.9000e-04"),
        (1e6, "1.0000e+06"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (np.array([0.5, 0.25]), "[0.5000 0.2500]"),
        (np.eye(3), ""),
        (np.zeros(11), ""),
    ],
)
def test_values(value, text):
    assert progress.format_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.4, "59.4 s"), (187, "3 min 07 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds, text):
    assert progress.format_seconds(seconds) == text


def test_lines(train, capsys):
    train([ProgressBar()], [{"loss": 0.5}, {"loss": 0.25, "confusion_matrix": np.eye(2)}], verbose=2)
    out = capsys.readouterr()
    assert re.fullmatch(
        r"epoch 1/2  loss 0\.5000  \d\.\d s  \d\.\d s left\nepoch 2/2  loss 0\.2500  \d\.\d s\n", out.out
    )
    assert out.err == ""


@pytest.mark.parametrize("verbose", ["auto", 0])
def test_silence(train, capsys, verbose):
    callbacks = train([ProgressBar()], [{"loss": 0.5}], verbose=verbose)  # pytest's output is not a terminal
    out = capsys.readouterr()
    assert out.out == out.err == "" and not callbacks.has_train_batch_end


def test_bar(train, monkeypatch):
    terminal = as_terminal(monkeypatch)
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH", 0.0)
    callbacks = train([ProgressBar()], [{"loss": 0.5}], steps=4, verbose="auto")
    assert callbacks.has_train_batch_end and not callbacks.has_test_batch_end
    drawn = terminal.err.getvalue()
    assert "epoch 1/1" in drawn and "4/4" in drawn and "loss 0.5000" in drawn
    assert drawn.endswith("\r")  # wiped: nothing of the bar stays
    assert re.fullmatch(r"epoch 1/1  loss 0\.5000  \d\.\d s\n", terminal.out.getvalue())


def test_the_bar_is_not_drawn_at_every_batch(train, monkeypatch):
    terminal = as_terminal(monkeypatch)
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH", 3600.0)
    train([ProgressBar()], [{"loss": 0.5}], steps=50, verbose=1)
    assert "/50" in terminal.err.getvalue() and "1/50" not in terminal.err.getvalue()


def test_evaluation_and_prediction(model, monkeypatch):
    terminal = as_terminal(monkeypatch)
    callbacks = CallbackList([ProgressBar()], model=model, verbose=2, steps=1)
    callbacks.on_test_begin()
    callbacks.on_test_end({"loss": 0.5})
    callbacks.on_predict_begin()
    callbacks.on_predict_end()
    assert re.fullmatch(r"evaluate  loss 0\.5000  \d\.\d s\n", terminal.out.getvalue())


def test_evaluation_draws_a_bar_of_its_own(model, monkeypatch):
    terminal = as_terminal(monkeypatch)
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH", 0.0)
    callbacks = CallbackList([ProgressBar(1)], model=model, steps=2)
    callbacks.on_test_begin()
    assert callbacks.has_test_batch_end and not callbacks.has_train_batch_end
    for batch in range(2):
        callbacks.on_test_batch_end(batch, {"loss": 0.5})
    callbacks.on_test_end({"loss": 0.5})
    assert "evaluate" in terminal.err.getvalue() and "2/2" in terminal.err.getvalue()


def test_validation_within_training_prints_nothing_of_its_own(model, monkeypatch):
    terminal = as_terminal(monkeypatch)
    callbacks = CallbackList([ProgressBar()], model=model, verbose=2, epochs=1, steps=1)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    callbacks.on_test_begin()
    callbacks.on_test_end({"loss": 0.5})
    assert terminal.out.getvalue() == ""
    callbacks.on_epoch_end(0, {"loss": 0.25, "val_loss": 0.5})
    assert terminal.out.getvalue().startswith("epoch 1/1  loss 0.2500  val_loss 0.5000  ")
