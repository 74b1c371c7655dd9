"""What a notebook shows of a model, a history and a profile: tables, in which nothing that a user named is markup."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import striate as st
from striate.layers import Add, Conv2D, Dense, Flatten, Input

ATTACK = "<img src=x onerror=alert('1')>&\""


class Table(HTMLParser):
    """The texts of the cells; fails on tags that are not closed in order, or that no table has."""

    TAGS = frozenset({"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "code"})

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag in self.TAGS and {name for name, _ in attributes} <= {"style"}
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        else:
            self.texts.append(data)


def small(name="digits", layer="convolution"):
    layers = [Input((8, 8, 1)), Conv2D(4, 3, name=layer), Flatten(), Dense(10)]
    model = st.Sequential(layers, name=name, seed=0)
    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def test_a_model_is_its_summary():
    model = small()
    table, lines = Table(model._repr_html_()), []
    model.summary(print_fn=lines.append)
    assert table.texts[0] == "Sequential 'digits'" and table.texts[1:] == lines[-2:]
    assert table.rows[0] == ["Layer (type)", "Output shape", "Parameters", "Multiply-adds", "Field (jump)"]
    assert table.rows[2] == ["convolution (Conv2D)", "(N, 6, 6, 4)", "40", "1,296", "3 (1)"]
    for row, line in zip(table.rows[1:], lines[4:], strict=False):
        assert line.split() == " ".join(row).split()


def test_a_graph_says_what_goes_in():
    start = Input((8, 8, 1), name="digit")
    x = Conv2D(2, 3, name="left")(start)
    model = st.Model(start, Add(name="sum")([x, Conv2D(2, 3, name="right")(start)]))
    rows = Table(model._repr_html_()).rows
    assert rows[0][2] == "Input" and rows[-1][:3] == ["sum (Add)", "(N, 6, 6, 2)", "left, right"]
    assert rows[-1][3:] == ["–", "–", "3 (1)"]


def test_names_are_no_markup():
    model = small(ATTACK, ATTACK.replace("/", ""))
    table = Table(model._repr_html_())
    assert table.texts[0] == f"Sequential {ATTACK!r}" and table.rows[2][0] == f"{ATTACK} (Conv2D)"
    waiting = st.Sequential([Flatten()], name=ATTACK)
    assert Table(waiting._repr_html_()).texts == [repr(waiting)]
    history = st.callbacks.History()
    history.epoch, history.history = [0], {ATTACK: [1.0]}
    assert Table(history._repr_html_()).rows == [["epoch", ATTACK], ["1", "1"]]


def test_history():
    rng = np.random.default_rng(0)
    history = small().fit(rng.normal(size=(8, 8, 8, 1)), np.arange(8), epochs=3, verbose=0, validation_split=0.5)
    table = Table(history._repr_html_())
    assert table.texts == ["History of 3 epochs"]
    assert table.rows[0] == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert table.rows[3] == ["3", *(f"{values[2]:.4g}" for values in history.history.values())]
    history.epoch, history.history = list(range(50)), {"f1": [np.array([0.5, 0.25])] * 50}
    rows = Table(history._repr_html_()).rows
    assert len(rows) == 22 and rows[11] == ["…", "…"] and rows[-1] == ["50", "0.5, 0.25"]
    assert Table(st.callbacks.History()._repr_html_()).rows == [["epoch"]]


@pytest.mark.parametrize("training", [False, True])
def test_a_profile_is_what_it_prints(capsys, training):
    x, y = np.zeros((4, 8, 8, 1), np.float32), np.arange(4)
    profile = small().profile(x, y if training else None, steps=2)
    lines = capsys.readouterr().out.splitlines()
    table = Table(profile._repr_html_())
    assert [table.texts[0], *table.texts[1:]] == [lines[0], *lines[-3:]]
    assert [" ".join(row).split() for row in table.rows] == [line.split() for line in (lines[2], *lines[4:-4])]
