"""ModelCheckpoint, CSVLogger, TensorBoard, GradientFlow."""

from __future__ import annotations

import io
import json
import math
import struct
import sys

import numpy as np
import pytest

import striate as st
from striate.callbacks import CSVLogger, GradientFlow, ModelCheckpoint, TensorBoard
from striate.callbacks._summaries import picture_of
from striate.history import read_history
from striate.layers import Add, Conv2D, Dense, Flatten, Input


def test_checkpoint_after_every_epoch(train, model, tmp_path):
    path = str(tmp_path / "deep" / "{epoch:02d}-{val_loss:.2f}.safetensors")
    train([ModelCheckpoint(path)], [{"val_loss": 0.5}, {"val_loss": 0.251}], steps=3)
    folder = tmp_path / "deep"
    assert folder.is_dir()
    assert model.saved == [
        ("model", str(folder / "01-0.50.safetensors"), 3.0),
        ("model", str(folder / "02-0.25.safetensors"), 6.0),
    ]


def test_checkpoint_of_the_best(train, model, tmp_path, capsys):
    path = tmp_path / "best.safetensors"
    checkpoint = ModelCheckpoint(path, "val_accuracy", save_best_only=True, save_weights_only=True, verbose=1)
    train([checkpoint], [{"val_accuracy": value} for value in (0.5, 0.4, 0.5, math.nan, 0.6)])
    assert model.saved == [("weights", str(path), 1.0), ("weights", str(path), 5.0)]
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1: val_accuracy improved from -inf to 0.50000",
        f"epoch 1: saved {path}",
        "epoch 5: val_accuracy improved from 0.50000 to 0.60000",
        f"epoch 5: saved {path}",
    ]


def test_checkpoint_that_must_improve_on_a_given_value(train, model):
    checkpoint = ModelCheckpoint("m.safetensors", save_best_only=True, initial_value_threshold=0.3)
    train([checkpoint], [{"val_loss": 0.5}, {"val_loss": 0.2}])
    assert [count for _, _, count in model.saved] == [2.0]


def test_checkpoint_by_batches_counts_over_epochs(train, model, tmp_path):
    path = str(tmp_path / "{epoch}-{batch}.safetensors")
    callbacks = train([ModelCheckpoint(path, save_freq=4)], [{}, {}, {}], steps=3)
    assert callbacks.has_train_batch_end
    assert [(name.rsplit("/", 1)[-1], count) for _, name, count in model.saved] == [
        ("2-1.safetensors", 4.0),
        ("3-2.safetensors", 8.0),
    ]


def test_checkpoint_by_epochs_costs_nothing_in_a_batch(train):
    assert not train([ModelCheckpoint("m")], [{"val_loss": 1.0}]).has_train_batch_end


def test_wrong_checkpoints(train):
    with pytest.raises(ValueError, match=r"filepath '\{val_loss\}' names 'val_loss', but there are only loss, epoch"):
        train([ModelCheckpoint("{val_loss}")], [{"loss": 1.0}])
    for frequency in (0, -1, "batch", 1.5, True):
        with pytest.raises(ValueError, match="save_freq must be 'epoch' or a number of batches"):
            ModelCheckpoint("m", save_freq=frequency)
    with pytest.warns(UserWarning, match="ModelCheckpoint watches 'val_loss', but the logs hold loss"):
        train([ModelCheckpoint("m", save_best_only=True)], [{"loss": 1.0}])


def test_csv(train, tmp_path):
    path = tmp_path / "run" / "history.csv"
    train([CSVLogger(path)], [{"loss": 0.1, "accuracy": np.float32(0.5)}, {"loss": 1 / 3, "accuracy": 1.0}])
    assert path.read_text() == f"epoch,loss,accuracy\n0,0.1,0.5\n1,{1 / 3!r},1.0\n"


def test_csv_with_columns_that_come_and_go(train, tmp_path):
    path = tmp_path / "history.csv"
    logs = [{"loss": 2.0}, {"loss": 1.0, "val_loss": 3.0}, {"loss": 0.5, "f1": np.array([0.5, 1.0])}]
    train([CSVLogger(path, separator=";")], logs)
    assert path.read_text().splitlines() == [
        "epoch;loss;val_loss;f1",
        "0;2.0;NA;NA",
        "1;1.0;3.0;NA",
        "2;0.5;NA;[0.5, 1.0]",
    ]
    history = read_history(path, separator=";")
    assert history.epoch == [0, 1, 2] and history.history["loss"] == [2.0, 1.0, 0.5]
    assert math.isnan(history.history["val_loss"][0]) and history.history["val_loss"][1] == 3.0
    np.testing.assert_array_equal(history.history["f1"][2], [0.5, 1.0])


def test_csv_appends_under_the_columns_of_the_file(train, tmp_path):
    path = tmp_path / "history.csv"
    train([CSVLogger(path)], [{"loss": 2.0, "accuracy": 0.5}])
    train([CSVLogger(path, append=True)], [{"accuracy": 0.6, "loss": 1.0}])
    assert path.read_text().splitlines() == ["epoch,loss,accuracy", "0,2.0,0.5", "0,1.0,0.6"]
    train([CSVLogger(path)], [{"loss": 4.0}])
    assert path.read_text().splitlines() == ["epoch,loss", "0,4.0"]


def test_csv_keeps_values_to_the_last_bit(train, tmp_path):
    path = tmp_path / "history.csv"
    values = [math.pi, 1e-320, math.inf, -math.nan]
    callbacks = train([CSVLogger(path)], [{"loss": value} for value in values])
    np.testing.assert_array_equal(read_history(path).history["loss"], callbacks.history.history["loss"])


def test_reading_what_is_no_history(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(
        ValueError, match=r"other.csv is not a history: its first column must be 'epoch', got \['a', 'b'\]"
    ):
        read_history(path)
    path.write_text("epoch,loss\n0,1.0\n1,none\n")
    with pytest.raises(ValueError, match=r"other\.csv, line 3: could not convert string to float: 'none'"):
        read_history(path)
    with pytest.raises(FileNotFoundError):
        read_history(tmp_path / "missing.csv")


def test_csv_that_cannot_be_written_fails_before_training(train, model, tmp_path):
    with pytest.raises(OSError, match="Is a directory"):
        train([CSVLogger(tmp_path)], [{"loss": 1.0}])
    assert model.weight[0] == 0
    with pytest.raises(ValueError, match="separator must be one character, got ', '"):
        CSVLogger("h.csv", separator=", ")


def events(folder):
    """The events in a TensorBoard folder: records of length, check sum, bytes, check sum."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


def scalars(folder):
    return {
        (value.tag, event.step): value.simple_value
        for event in events(folder)
        for value in event.summary.value
        if value.HasField("simple_value")
    }


def test_tensorboard(train, tmp_path):
    pytest.importorskip("tensorboardX")
    logs = [{"loss": 0.5, "f1": np.array([0.25, 0.75]), "val_loss": 1.5}, {"loss": 0.25, "val_loss": 1.25}]
    callbacks = train([TensorBoard(tmp_path, histogram_freq=1)], logs, steps=2)
    assert not callbacks.has_train_batch_end
    assert scalars(tmp_path / "train") == {
        ("epoch_loss", 0): 0.5,
        ("epoch_loss", 1): 0.25,
        ("epoch_f1/0", 0): 0.25,
        ("epoch_f1/1", 0): 0.75,
        ("epoch_learning_rate", 0): np.float32(0.1),
        ("epoch_learning_rate", 1): np.float32(0.1),
    }
    assert scalars(tmp_path / "validation") == {("epoch_loss", 0): 1.5, ("epoch_loss", 1): 1.25}
    histograms = {
        (value.tag, event.step): value.histo
        for event in events(tmp_path / "train")
        for value in event.summary.value
        if value.HasField("histo")
    }
    # The weights are 2 twice after an epoch of two batches and 4 twice after the next; those not finite are left out.
    assert set(histograms) == {("conv/kernel", 0), ("conv/kernel", 1)}
    last = histograms["conv/kernel", 1]
    assert (last.num, last.min, last.max, last.sum) == (2, 4, 4, 8)


def test_tensorboard_by_batches(train, tmp_path):
    pytest.importorskip("tensorboardX")
    train([TensorBoard(tmp_path, update_freq=2)], [{}, {}], steps=3, batch_logs=lambda batch: {"loss": batch + 1.0})
    # Every second batch, counted from 0 over both epochs: batches 1, 3 and 5.
    rates = {("epoch_learning_rate", epoch): np.float32(0.1) for epoch in (0, 1)}
    batches = {("batch_loss", 1): 2.0, ("batch_loss", 3): 1.0, ("batch_loss", 5): 3.0}
    assert scalars(tmp_path / "train") == batches | rates


def digit_model():
    """A convolution, called twice, whose outputs are added."""
    start = Input((8, 8, 1), name="digit")
    x = Conv2D(2, 3, padding="same", name="first")(start)
    again = Conv2D(2, 3, padding="same", activation="relu", name="twice")
    x = Add(name="sum")([again(x), again(again(x))])
    model = st.Model(start, Dense(10, name="scores")(Flatten(name="flat")(x)), seed=1)
    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def test_tensorboard_of_a_real_training(tmp_path):
    pytest.importorskip("tensorboardX")
    image = pytest.importorskip("PIL.Image")
    (x, y), _ = st.data.load_digits()
    model = digit_model()
    board = TensorBoard(tmp_path, histogram_freq=2, write_images=True, write_steps_per_second=True)
    history = model.fit(x[:64], y[:64], epochs=3, verbose=0, callbacks=[board], validation_split=0.5).history
    values = scalars(tmp_path / "train")
    for epoch in range(3):
        assert values["epoch_loss", epoch] == np.float32(history["loss"][epoch])
        assert values["epoch_accuracy", epoch] == np.float32(history["accuracy"][epoch])
        assert values["epoch_learning_rate", epoch] == np.float32(0.01)
        assert values["epoch_steps_per_second", epoch] > 0
        assert scalars(tmp_path / "validation")["epoch_loss", epoch] == np.float32(history["val_loss"][epoch])
    pictures = {
        (value.tag, event.step): value.image
        for event in events(tmp_path / "train")
        for value in event.summary.value
        if value.HasField("image")
    }
    assert set(pictures) == {(name, epoch) for name in model.state_dict() for epoch in (0, 2)}
    kernel = model.state_dict()["twice/kernel"]
    picture = np.asarray(image.open(io.BytesIO(pictures["twice/kernel", 2].encoded_image_string)).convert("L"))
    assert picture.shape == (7, 7)  # 2 x 2 tiles of 3 x 3, a line between them
    tile = np.rint(127.5 + 127.5 * kernel[:, :, 0, 1] / np.abs(kernel).max())
    np.testing.assert_array_equal(picture[:3, 4:], tile)


def test_tensorboard_graph(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.graph_pb2 import GraphDef

    (x, y), _ = st.data.load_digits()
    digit_model().fit(x[:8], y[:8], verbose=0, callbacks=[TensorBoard(tmp_path / "with")])
    (graph,) = [event.graph_def for event in events(tmp_path / "with" / "train") if event.graph_def]
    nodes = {node.name: node for node in GraphDef.FromString(graph).node}
    assert {name: (node.op, list(node.input)) for name, node in nodes.items()} == {
        "digit": ("InputLayer", []),
        "first": ("Conv2D", ["digit"]),
        "twice": ("Conv2D", ["first"]),
        "twice_call2": ("Conv2D", ["first"]),
        "twice_call3": ("Conv2D", ["twice_call2"]),
        "sum": ("Add", ["twice", "twice_call3"]),
        "flat": ("Flatten", ["sum"]),
        "scores": ("Dense", ["flat"]),
    }
    (shape,) = nodes["first"].attr["_output_shapes"].list.shape
    assert [size.size for size in shape.dim] == [-1, 8, 8, 2]
    assert nodes["scores"].attr["parameters"].i == 1290
    assert json.loads(nodes["twice"].attr["config"].s)["activation"] == "relu"
    digit_model().fit(x[:8], y[:8], verbose=0, callbacks=[TensorBoard(tmp_path / "without", write_graph=False)])
    assert not any(event.graph_def for event in events(tmp_path / "without" / "train"))


def test_pictures_of_weights():
    weight = np.zeros((3, 2, 20, 1))
    weight[0, 0, 0, 0], weight[2, 1, 1, 0], weight[1, 1, 0, 0] = -2.0, 1.0, math.nan
    board = picture_of(weight)
    assert board.shape == (16 * 4 - 1, 2) and board.dtype == np.uint8
    assert (board[0, 0], board[4 + 2, 1], board[1, 1]) == (0, 191, 128)
    assert picture_of(np.ones(300)).shape == (1, 256) and picture_of(np.ones((5, 7))).shape == (5, 7)
    assert picture_of(np.zeros((2, 3))).tolist() == [[128] * 3] * 2


def test_tensorboard_missing(train, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"TensorBoard needs tensorboardX: pip install 'striate\[tensorboard\]'"):
        train([TensorBoard(tmp_path)], [{"loss": 1.0}])
    assert model.weight[0] == 0
    with pytest.raises(ValueError, match="update_freq must be 'epoch', 'batch' or a number, got 'step'"):
        TensorBoard(update_freq="step")
    with pytest.raises(ValueError, match="update_freq must be 'epoch', 'batch' or a number, got 0"):
        TensorBoard(update_freq=0)


def test_gradient_flow(train, model):
    flow = GradientFlow(batches=2)
    logs = [{"loss": 1.0}, {"loss": 0.5}]
    train([flow], logs, steps=8)
    # Of eight batches the middles of two halves are the third and the seventh; 3, 4 make 5 times the batch's number.
    assert list(flow.norms) == ["conv", "dense"]
    np.testing.assert_allclose(flow.norms["dense"], [5 * (3 + 7) / 2, 5 * (11 + 15) / 2])
    # Squares of 1e-30 would be 0 in float32.
    np.testing.assert_allclose(flow.norms["conv"], [2e-30 * (3 + 7) / 2, 2e-30 * (11 + 15) / 2])
    assert model.gradient_calls == 4 and logs == [{"loss": 1.0}, {"loss": 0.5}]


def test_gradient_flow_of_a_short_epoch_takes_every_batch(train, model):
    flow = GradientFlow(batches=8, log=True)
    logs = [{}]
    train([flow], logs, steps=3)
    assert model.gradient_calls == 3
    np.testing.assert_allclose(flow.norms["dense"], [5 * 2])
    assert logs[0] == {"gradient_norm/conv": flow.norms["conv"][0], "gradient_norm/dense": flow.norms["dense"][0]}


def test_gradient_flow_learns_the_number_of_batches(train, model):
    flow = GradientFlow(batches=2)
    train([flow], [{}, {}], steps=8, known_steps=False)
    np.testing.assert_allclose(flow.norms["dense"], [5 * (1 + 2) / 2, 5 * (11 + 15) / 2])
    with pytest.raises(ValueError, match="batches must be at least 1, got 0"):
        GradientFlow(0)
