"""A model that only pretends to train, and the loop of hooks that a trainer runs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from striate.callbacks import CallbackList


class FakeModel:
    """Its one weight is the number of batches trained; it notes what was saved."""

    def __init__(self):
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.1)
        self.weight = np.zeros(2, np.float32)
        self.saved = []
        self.gradient_calls = 0

    def train_on_batch(self):
        self.weight += 1  # in place, as a core's buffer: a callback that keeps weights has to copy them

    def get_weights(self):
        return [self.weight]

    def set_weights(self, weights):
        self.weight[:] = weights[0]

    def state_dict(self):
        return {"conv/kernel": self.weight, "dense/bias": np.array([np.nan, np.inf], np.float32)}

    def gradients(self):
        self.gradient_calls += 1
        batch = self.weight[0]  # 1 after the first batch
        return {
            "conv/kernel": np.full((2, 2), 1e-30 * batch, np.float32),
            "conv/bias": np.zeros(2, np.float32),
            "dense/kernel": np.array([[3.0 * batch]], np.float32),
            "dense/bias": np.array([4.0 * batch], np.float32),
        }

    def save(self, path):
        self.saved.append(("model", path, float(self.weight[0])))

    def save_weights(self, path):
        self.saved.append(("weights", path, float(self.weight[0])))


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def train(model):
    """`train(callbacks, epochs, steps=1, batch_logs=None)`: `epochs` is a list of each epoch's logs.

    Returns the `CallbackList`; the logs are changed in place by the callbacks.
    """

    def run(callbacks, epochs, steps=1, batch_logs=None, known_steps=True, **params):
        callbacks = CallbackList(callbacks, add_history=True, model=model)
        callbacks.set_params({"epochs": len(epochs), "steps": steps if known_steps else None, "verbose": 0} | params)
        model.stop_training = False
        callbacks.on_train_begin()
        for epoch, logs in enumerate(epochs):
            callbacks.on_epoch_begin(epoch)
            for batch in range(steps):
                callbacks.on_train_batch_begin(batch)
                model.train_on_batch()
                callbacks.on_train_batch_end(batch, batch_logs(batch) if batch_logs else {"loss": 0.5})
                if model.stop_training:
                    break
            callbacks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        callbacks.on_train_end()
        return callbacks

    return run
