"""Files of callbacks after kills and errors: nothing written is lost, nothing torn is read."""

from __future__ import annotations

import numpy as np
import pytest
from test_saving_and_logging import scalars

import striate as st
from striate.callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint, TensorBoard
from striate.history import read_history
from striate.layers import Dense, Input


@pytest.mark.parametrize("torn", ["2", "2,", "2,0.12", '2,"[0.5'])
def test_a_torn_row_is_removed_when_the_table_goes_on(train, tmp_path, torn):
    path = tmp_path / "history.csv"
    train([CSVLogger(path)], [{"loss": 2.0}, {"loss": 1.0}])
    whole = path.read_text()
    path.write_text(whole + torn)
    with pytest.warns(UserWarning, match="the last row is not whole and was not read"):
        assert read_history(path).epoch == [0, 1]
    with pytest.warns(UserWarning, match="the last row of .* is not whole and is removed: '2"):
        train([CSVLogger(path, append=True)], [{"loss": 0.5}])
    assert path.read_text() == whole + "0,0.5\n"


def test_a_torn_header_is_written_anew(train, tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,lo")
    with pytest.warns(UserWarning, match="is removed: 'epoch,lo'"):
        train([CSVLogger(path, append=True)], [{"loss": 0.5}])
    assert path.read_text() == "epoch,loss\n0,0.5\n"


def test_a_new_column_keeps_the_rows(train, tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    logger = CSVLogger(path)
    train([logger], [{"loss": 2.0}, {"loss": 1.0}])
    before = path.read_text()
    tmp_path.joinpath("history.csv").chmod(0o640)
    with pytest.raises(ValueError, match="could not convert"):
        logger.on_epoch_end(2, {"loss": 0.5, "accuracy": "high"})
    assert path.read_text() == before
    logger.on_epoch_end(2, {"loss": 0.5, "accuracy": 0.25})
    assert path.read_text() == "epoch,loss,accuracy\n0,2.0,NA\n1,1.0,NA\n2,0.5,0.25\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_quoted_names_are_no_torn_rows(train, tmp_path):
    path = tmp_path / "history.csv"
    train([CSVLogger(path)], [{'a "b"\nc': 2.0}])
    train([CSVLogger(path, append=True)], [{'a "b"\nc': 1.0}])
    assert read_history(path).history == {'a "b"\nc': [2.0, 1.0]}


class Failing(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise RuntimeError("the second epoch fails")

    def on_train_end(self, logs=None):
        raise KeyError("the end fails")


def network():
    model = st.Sequential([Input((2,)), Dense(1)], seed=0)
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def test_a_training_that_fails_leaves_all_that_was_written(tmp_path):
    pytest.importorskip("tensorboardX")
    stopping = EarlyStopping("loss", restore_best_weights=True)
    seen = [TensorBoard(tmp_path, update_freq=1), CSVLogger(tmp_path / "h.csv"), stopping]
    model = network()
    with pytest.raises(KeyError, match="the end fails") as caught:
        model.fit(np.eye(2), np.ones((2, 1)), epochs=3, batch_size=1, verbose=0, callbacks=[Failing(), *seen])
    assert "the second epoch fails" in str(caught.value.__context__)
    # The first epoch's values; of the second one the batches, since its end failed before the loggers' turn.
    assert read_history(tmp_path / "h.csv").epoch == [0]
    steps = sorted(step for name, step in scalars(tmp_path / "train") if name == "batch_loss")
    assert steps == [0, 1, 2, 3]
    assert ("epoch_loss", 0) in scalars(tmp_path / "train")
    # EarlyStopping was called though the callback before it failed.
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), stopping._best_weights, strict=True))


def test_trainings_that_begin_at_once_have_event_files_of_their_own(tmp_path):
    pytest.importorskip("tensorboardX")
    model = network()
    for loss in (0.5, 0.25):
        board = TensorBoard(tmp_path, write_graph=False)
        board.set_model(model)
        board.on_train_begin()
        board.on_epoch_end(0, {"loss": loss})  # and no on_train_end: the process is killed here
    files = list((tmp_path / "train").iterdir())
    assert len(files) == 2 and all(path.name.startswith("events.out.tfevents.") for path in files)
    assert {value for (name, _), value in scalars(tmp_path / "train").items() if name == "epoch_loss"} <= {0.5, 0.25}


def test_a_checkpoint_that_cannot_be_written_is_not_the_best(tmp_path):
    path = tmp_path / "best.safetensors"
    saver = ModelCheckpoint(path, save_best_only=True)
    model = network()
    saver.set_model(model)
    saver.on_epoch_end(0, {"val_loss": 1.0})
    good = path.read_bytes()
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        saver.on_epoch_end(1, {"val_loss": 0.5})
    path.rmdir()
    path.write_bytes(good)
    assert saver.best == 1.0
    saver.on_epoch_end(2, {"val_loss": 0.75})
    assert saver.best == 0.75
    assert np.array_equal(st.load_model(path).get_weights()[0], model.get_weights()[0])


def test_names_of_files_as_bytes(train, tmp_path):
    train([CSVLogger(bytes(tmp_path / "h.csv"))], [{"loss": 1.0}])
    assert (tmp_path / "h.csv").read_text() == "epoch,loss\n0,1.0\n"
    saver = ModelCheckpoint(bytes(tmp_path / "{epoch}.safetensors"))
    model = network()
    saver.set_model(model)
    saver.on_epoch_end(0, {})
    assert (tmp_path / "1.safetensors").exists()


@pytest.mark.parametrize(("written", "asked"), [(",", ";"), (";", ","), ("\t", ",")])
def test_a_table_with_another_separator_is_not_appended_to(train, model, tmp_path, written, asked):
    path = tmp_path / "history.csv"
    train([CSVLogger(path, separator=written)], [{"loss": 2.0}])
    before, steps = path.read_bytes(), model.weight[0]
    message = rf"history.csv is not a history: its first column must be 'epoch'.*pass separator={written!r}"
    with pytest.raises(ValueError, match=message.replace("\\t", "\\\\t") + ".*append=False.*another filename"):
        train([CSVLogger(path, separator=asked, append=True)], [{"loss": 1.0, "accuracy": 0.5}])
    with pytest.raises(ValueError, match=message.replace("\\t", "\\\\t")):
        read_history(path, separator=asked)
    assert path.read_bytes() == before and model.weight[0] == steps


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"notes", b"a,b\n1,2", b"epoch,loss,loss\n0,1,2\n"])
def test_other_files_are_not_appended_to(train, tmp_path, content):
    path = tmp_path / "notes.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes.csv is not a history: .*append=False"):
        train([CSVLogger(path, append=True)], [{"loss": 1.0}])
    assert path.read_bytes() == content


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_tables_that_other_programs_saved_go_on_as_they_are(train, tmp_path, mark, end):
    path = tmp_path / "history.csv"
    path.write_bytes(mark + end.join([b"epoch,loss", b"0,2.0", b""]))
    assert read_history(path).epoch == [0]
    train([CSVLogger(path, append=True)], [{"loss": 1.0}])
    assert path.read_bytes() == mark + end.join([b"epoch,loss", b"0,2.0", b"0,1.0", b""])
    train([CSVLogger(path, append=True)], [{"loss": 0.5, "mae": 0.25}])
    assert path.read_bytes() == mark + end.join([b"epoch,loss,mae", b"0,2.0,NA", b"0,1.0,NA", b"0,0.5,0.25", b""])
    history = read_history(path)
    assert history.epoch == [0, 0, 0] and history.history["loss"] == [2.0, 1.0, 0.5]


def test_a_line_end_that_is_not_whole_is_completed(train, tmp_path):
    path = tmp_path / "history.csv"
    path.write_bytes(b"epoch,loss\r\n0,2.0\r")
    train([CSVLogger(path, append=True)], [{"loss": 1.0}])
    assert path.read_bytes() == b"epoch,loss\r\n0,2.0\r\n0,1.0\r\n"


@pytest.mark.parametrize("codec", ["utf-16", "latin-1"])
def test_tables_that_are_not_utf_8_are_named(train, tmp_path, codec):
    path = tmp_path / "history.csv"
    path.write_bytes("epoch,größe\n0,2.0\n".encode(codec))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"history.csv is not a history: it is not UTF-8 .*append=False"):
        train([CSVLogger(path, append=True)], [{"loss": 1.0}])
    with pytest.raises(ValueError, match=r"history.csv is not a history: it is not UTF-8"):
        read_history(path)
    assert path.read_bytes() == before


def test_long_arrays_are_read_back(train, tmp_path):
    path = tmp_path / "history.csv"
    table = np.arange(40_000.0).reshape(200, 200)
    train([CSVLogger(path)], [{"matrix": table}])
    np.testing.assert_array_equal(read_history(path).history["matrix"][0], table)
    train([CSVLogger(path, append=True)], [{"loss": 1.0}])
    assert read_history(path).epoch == [0, 0]


def test_separators_that_cannot_be_between_fields(tmp_path):
    for separator in ('"', "\n", "\r"):
        with pytest.raises(ValueError, match="separator must be no quote and no line end"):
            CSVLogger(tmp_path / "h.csv", separator=separator)
    with pytest.raises(ValueError, match="read_history: separator must be one character, got ''"):
        read_history(tmp_path / "h.csv", separator="")


def test_line_ends_in_names_are_quoted(train, tmp_path):
    path = tmp_path / "history.csv"
    path.write_bytes(b"epoch\r")
    train([CSVLogger(path, append=True)], [{"a\nb": 1.0, "c\rd": 2.0}])
    assert read_history(path).history == {"a\nb": [1.0], "c\rd": [2.0]}


def test_rows_of_another_length_are_named(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n0,1.0\n\n1\n")
    with pytest.raises(ValueError, match=r"history.csv, line 4: expected 2 fields, got 1"):
        read_history(path)
