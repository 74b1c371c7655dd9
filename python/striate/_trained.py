"""What a model offers of its training: a thin face on `striate.Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate._arrays import AnyArray

if TYPE_CHECKING:
    from striate.callbacks import Callback, History
    from striate.losses import Loss
    from striate.optimizers import Optimizer
    from striate.trainer import Trainer


class Trained:
    """The part of `Model` that compiles, fits and evaluates."""

    _trainer: Trainer | None

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: an object of `striate.optimizers`, or a name.
            loss: an object of `striate.losses`, or a name; for several outputs a list, or a dict by the names of the
                output layers, or one for all. An output that the dict lacks, or whose loss is None, is not trained.
            loss_weights: of several outputs' losses in their sum: a list or a dict.
            metrics: a list of objects of `striate.metrics` or names; for several outputs a list of lists, or a dict.
            weighted_metrics: likewise, computed with the sample weights.
            run_eagerly: only False: the C++ core computes every step.
            steps_per_execution: only 1: callbacks are called for every batch.
            jit_compile: taken for scripts written for Keras; the core is compiled whatever it says.

        Raises:
            ValueError: a name is unknown, the loss does not fit the output, or an argument has only one value.
            RuntimeError: another thread is training the model.
        """
        if run_eagerly:
            raise ValueError("compile: run_eagerly must be False: the C++ core computes every step, not Python")
        if steps_per_execution != 1:
            raise ValueError(f"compile: steps_per_execution must be 1, got {steps_per_execution!r}")
        from striate.model import Model
        from striate.trainer import Trainer

        assert isinstance(self, Model)  # its only heir
        with self._training.take():
            self._trainer = Trainer._of_model(self, optimizer, loss, metrics, loss_weights, weighted_metrics)

    def _compiled(self, who: str) -> Trainer:
        if self._trainer is None:
            raise ValueError(f"{who}: the model is not compiled; call compile(optimizer, loss, metrics) first")
        return self._trainer

    @property
    def optimizer(self) -> Optimizer:
        """What the model was compiled with."""
        return self._compiled("optimizer").optimizer

    @property
    def loss(self) -> Loss | list[Loss | None]:
        """What the model was compiled with; a list for several outputs."""
        losses = self._compiled("loss").losses
        return losses[0] if len(losses) == 1 and losses[0] is not None else losses

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        augment: Callable[[AnyArray, NDArray[np.int64], int], AnyArray] | None = None,
    ) -> History:
        """Train; see `Trainer.fit`."""
        return self._compiled("fit").fit(
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
            augment,
        )

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on an array; see `Trainer.evaluate`."""
        trainer = self._compiled("evaluate")
        return trainer.evaluate(x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict)

    def train_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None
    ) -> float:
        """One step on one batch; returns the loss before it."""
        return self._compiled("train_on_batch").train_on_batch(x, y, sample_weight, class_weight)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """The loss on one batch, as in inference."""
        return self._compiled("test_on_batch").test_on_batch(x, y, sample_weight)
