"""Stop at a loss that is not a number any more."""

from __future__ import annotations

import math

from striate.callbacks.base import Callback, Logs


class TerminateOnNaN(Callback):
    """Stop training at the first batch whose loss is NaN or infinite, with a message."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"batch {batch}: the loss is {float(loss)}, training stops; a lower learning rate may help")
            self.model.stop_training = True
