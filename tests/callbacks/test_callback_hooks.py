"""Which hooks are called, in which order, and what the list keeps of batch hooks."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import striate as st
from striate.callbacks import Callback, CallbackList, History, LambdaCallback, ProgressBar


class Noting(Callback):
    """Notes every call. Does not call the base's __init__, as users forget to."""

    def __init__(self, notes, name=""):
        self.notes, self.name = notes, name

    def on_train_begin(self, logs=None):
        self.notes.append(f"{self.name}train begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.notes.append(f"{self.name}epoch {epoch} begin")

    def on_train_batch_begin(self, batch, logs=None):
        self.notes.append(f"{self.name}batch {batch} begin")

    def on_train_batch_end(self, batch, logs=None):
        self.notes.append(f"{self.name}batch {batch} end {logs['loss']}")

    def on_epoch_end(self, epoch, logs=None):
        self.notes.append(f"{self.name}epoch {epoch} end {logs['loss']}")

    def on_train_end(self, logs=None):
        self.notes.append(f"{self.name}train end")


def test_order_of_hooks(train, model):
    notes = []
    callback = Noting(notes)
    train([callback], [{"loss": 0.25}], steps=2)
    assert notes == [
        "train begin",
        "epoch 0 begin",
        "batch 0 begin",
        "batch 0 end 0.5",
        "batch 1 begin",
        "batch 1 end 0.5",
        "epoch 0 end 0.25",
        "train end",
    ]
    assert callback.model is model and callback.params == {"epochs": 1, "steps": 2, "verbose": 0}


def test_callbacks_are_called_in_their_order(train):
    notes = []
    train([Noting(notes, "a "), Noting(notes, "b ")], [{"loss": 0.25}])
    assert notes[:2] == ["a train begin", "b train begin"] and notes[-2:] == ["a train end", "b train end"]


def test_batch_hooks_that_nobody_overrides_are_not_kept():
    class Epochs(Callback):
        def on_epoch_end(self, epoch, logs=None):
            pass

    callbacks = CallbackList([Epochs(), History()])
    callbacks.on_train_begin()
    for what in ("train", "test", "predict"):
        assert not getattr(callbacks, f"has_{what}_batch_begin")
        assert not getattr(callbacks, f"has_{what}_batch_end")


@pytest.mark.parametrize("what", ["train", "test", "predict"])
@pytest.mark.parametrize("when", ["begin", "end"])
def test_only_the_overridden_batch_hook_is_kept(what, when):
    calls = []
    hook = f"on_{what}_batch_{when}"
    kind = type("One", (Callback,), {hook: lambda self, batch, logs=None: calls.append((batch, logs))})
    callbacks = CallbackList([kind(), Callback()])
    kept = {
        f"on_{w}_batch_{e}"
        for w in ("train", "test", "predict")
        for e in ("begin", "end")
        if getattr(callbacks, f"has_{w}_batch_{e}")
    }
    assert kept == {hook}
    getattr(callbacks, hook)(7, {"loss": 1.0})
    assert calls == [(7, {"loss": 1.0})]


def test_the_short_names_of_batch_hooks_work():
    seen = []

    class Short(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(batch)

    callbacks = CallbackList(Short())
    assert callbacks.has_train_batch_end and not callbacks.has_train_batch_begin
    callbacks.on_train_batch_end(3, {})
    assert seen == [3]


def test_a_callback_may_decide_when_training_begins():
    class Later(Callback):
        active = False

        def wants(self, hook):
            return self.active and super().wants(hook)

        def on_train_begin(self, logs=None):
            self.active = True

        def on_train_batch_end(self, batch, logs=None):
            pass

    callbacks = CallbackList([Later()])
    assert not callbacks.has_train_batch_end
    callbacks.on_train_begin()
    assert callbacks.has_train_batch_end


def test_what_one_callback_adds_the_next_ones_see(train):
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["twice"] = 2 * logs["loss"]

    history = train([Adds()], [{"loss": 0.5}, {"loss": 0.25}]).history
    assert history.history == {"loss": [0.5, 0.25], "twice": [1.0, 0.5]}


def test_lambda_callback(train):
    seen = []
    callback = LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"),
        on_train_batch_end=lambda batch, logs: seen.append(batch),
        on_epoch_end=lambda epoch, logs: seen.append(logs["loss"]),
        on_train_end=None,
    )
    callbacks = train([callback], [{"loss": 0.25}], steps=2)
    assert seen == ["begin", 0, 1, 0.25]
    assert callbacks.has_train_batch_end and not callbacks.has_train_batch_begin
    with pytest.raises(TypeError, match=r"'on_epoch' is not a hook; the hooks are on_batch_begin, .*on_train_end"):
        LambdaCallback(on_epoch=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function, got int"):
        LambdaCallback(on_epoch_end=3)


def test_history():
    history = History()
    matrix = np.eye(2)
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": np.float32(0.5), "confusion_matrix": matrix})
    matrix[:] = 0
    history.on_epoch_end(1, {"loss": 0.25, "confusion_matrix": matrix})
    assert history.epoch == [0, 1] and history.history["loss"] == [0.5, 0.25]
    assert type(history.history["loss"][0]) is float
    np.testing.assert_array_equal(history.history["confusion_matrix"][0], np.eye(2))
    history.on_train_begin()
    assert history.history == {} and history.epoch == []


def test_defaults_are_added_once():
    own = History()
    callbacks = CallbackList([own], add_history=True, add_progbar=True, verbose=2)
    assert callbacks.history is own
    assert [type(callback) for callback in callbacks] == [History, ProgressBar]
    assert [type(callback) for callback in CallbackList(add_history=True, add_progbar=True, verbose=0)] == [History]


def test_wrong_callbacks():
    with pytest.raises(TypeError, match=r"must be striate.callbacks.Callback objects, got History; .* History\(...\)"):
        CallbackList([History])
    with pytest.raises(TypeError, match="objects, got function"):
        CallbackList([lambda epoch: None])
    with pytest.raises(RuntimeError, match="History has no model yet; it gets one when it is passed to fit"):
        History().model.get_weights()


def test_importing_brings_no_optional_library():
    code = (
        "import sys, striate.callbacks, striate.metrics, striate.history, striate.progress\n"
        "print({'tqdm', 'tensorboardX', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_callback_does_not_keep_its_model():
    callback = Callback()
    model = st.Sequential([st.Input((2,)), st.layers.Dense(1)], seed=0)
    callback.set_model(model)
    assert callback.model is model
    assert "_model" not in vars(pickle.loads(pickle.dumps(callback)))
    del model
    with pytest.raises(ReferenceError, match="the model of this Callback no longer exists"):
        _ = callback.model
