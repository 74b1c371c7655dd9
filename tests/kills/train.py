"""A training that goes on from where a killed one stopped: `python train.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import striate as st
from striate.callbacks import Callback, CSVLogger
from striate.layers import Conv2D, Dense, Dropout, Flatten, Input

EPOCHS = 12


class Keep(Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        st.save_training(model, state)


folder = Path(sys.argv[1])
state = folder / "state.safetensors"
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 64)
model = st.Sequential([Input((6, 6, 1)), Conv2D(4, 3, activation="relu"), Dropout(0.3), Flatten(), Dense(3)], seed=1)
model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
done = 0
if state.exists():
    st.load_training(model, state)
    done = model.optimizer.iterations // 8
logger = CSVLogger(folder / "log.csv", append=True)
model.fit(x, y, epochs=EPOCHS, initial_epoch=done, batch_size=8, verbose=0, callbacks=[logger, Keep()])
model.save_weights(folder / "end.safetensors")
