"""Networks with their training and their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate import _core, _keras_names, _placeholders
from striate._architecture import built, maker
from striate._arrays import AnyArray, FloatArray
from striate._building import inputs_of, outputs_of, symbols_of
from striate._checks import chosen, next_seed
from striate._files import PathLike
from striate._own_classes import is_own, refuse_methods
from striate._sharing import building
from striate._switches import COMPILING, LOADING, ignore
from striate.layers._base import Layer, Symbol
from striate.layers._mode import draw_with
from striate.network import Network, one_or_all

if TYPE_CHECKING:
    from striate.callbacks import Callback, History
    from striate.losses import Loss
    from striate.metrics import Metric
    from striate.optimizers import Optimizer
    from striate.profiling import Profile
    from striate.summary import ReceptiveField
    from striate.trainer import Trainer

Shape = tuple[int | None, ...]


class Model(Network):
    """A network: any directed acyclic graph of layers, from its inputs to its outputs.

    Layers that two models have in common: see `Layer`.

    Several threads may use one model:

    - Calls that read it (`predict`, calling it, `feature_maps`, `grad_cam`, `profile` without `y`, `evaluate` of a
      second `Trainer`, copies of weights, `save`, `export`, `summary`) run at the same time, also beside a training. A
      batch is predicted, weights are copied and files are written between two training steps; training gives the same
      bits as without them.
    - Calls that change it (`set_weights`, `load_weights`, `load_state_dict`, `forward`, `backward`, `trainable`) wait
      for the end of a step. `backward` belongs to the thread that called `forward`.
    - One thread at a time trains a model. Meanwhile `fit`, `train_on_batch`, `profile` with `y`, `compile`, `add`,
      `pop`, `save_training`, `load_training`, and `evaluate` of the same trainer raise RuntimeError in other threads.

    A process may fork at any time. The child computes on all its threads, and may go on with models that other threads
    of its parent were training; their weights are those after a whole step.

    A subclass may define `call(self, inputs)`, or `call(self, inputs, training=None)`, in place of inputs and outputs::

        class Classifier(Model):
            def __init__(self):
                super().__init__()
                self.features = Conv2D(8, 3, activation="relu")
                self.flatten, self.scores = Flatten(), Dense(10)

            def call(self, inputs):
                return self.scores(self.flatten(self.features(inputs)))

    `call` runs once, on symbols, when the shape of the inputs is known: from the first data, from `build`, or from the
    symbols that the model is called on. It combines layers, models, and arithmetic of symbols; `training` is to be
    passed on to layers. Files and copies of such a model are a plain `Model` of the same layers.

    Args:
        inputs: what `Input` returned; a list of several, or a dict by their names.
        outputs: what the last layer returned, or a list of several; or a dict, whose keys are then the outputs' names:
            `predict` and calls of the model return a dict, too.
        name: the model's name in `summary`.
        seed: seed of the weights and, unless the trainer is given one, of the training: 0 … 2**64 - 1. None takes the
            next one of the sequence that `striate.set_seed` starts.
        fusion: whether neighbouring layers are computed jointly, such as ReLU with the convolution before it. Results
            differ by rounding alone. None for on, unless STRIATE_FUSION=0 is in the environment.
        winograd: whether 3x3 convolutions may be computed by minimal filtering (Lavin and Gray, "Fast Algorithms for
            Convolutional Neural Networks", CVPR 2016), which takes fewer multiplications and rounds differently. None
            for on, unless STRIATE_WINOGRAD=0 is in the environment.
        device: where it computes: "cpu", "cuda" for the first GPU, "cuda:1" for the second; results of a GPU differ by
            rounding. None for what STRIATE_DEVICE in the environment says, or else "cpu".

    Attributes:
        stop_training: set to True by a callback to end `fit`.

    Raises:
        ValueError: an output depends on an input that is not given, or two layers have the same name.
        TypeError: inputs or outputs are not symbols, or there are none and no `call`.
        RuntimeError: the device cannot be used; see `device`.
    """

    def __init_subclass__(cls) -> None:
        refuse_methods(cls, _keras_names.MODEL_METHODS, _keras_names.INSTEAD_OF_METHODS)

    def __init__(
        self,
        inputs: Symbol | Sequence[Symbol] | Mapping[str, Symbol] | None = None,
        outputs: Symbol | Sequence[Symbol] | Mapping[str, Symbol] | None = None,
        *,
        name: str | None = None,
        seed: int | None = None,
        fusion: bool | None = None,
        winograd: bool | None = None,
        device: str | None = None,
    ) -> None:
        kind = type(self).__name__
        if inputs is None and outputs is None and is_own(type(self)):
            self._begin(name or _core.snake_case(kind), seed)  # `call` draws it
        elif self._has_call():
            raise TypeError(f"{kind}.call would never be called: inputs and outputs are the network; leave either out")
        elif inputs is None or outputs is None:
            raise TypeError(f"{kind} takes inputs and outputs: Model(inputs, outputs)")
        else:
            self._begin(name or "model", seed, inputs_of(inputs), outputs_of(outputs, "outputs"))
            self._named_outputs = isinstance(outputs, Mapping)
        self._choose(**chosen(fusion=fusion, winograd=winograd, device=device))
        if self._inputs:
            self._build()

    @classmethod
    def _has_call(cls) -> bool:
        """Whether the network is what a method `call` of the user's draws."""
        return callable(getattr(cls, "call", None))

    def _check_call(self) -> None:
        if not self._has_call():
            kind = type(self).__name__
            raise TypeError(f"{kind} has no network: define {kind}.call(self, inputs), or give inputs and outputs")

    def _is_built(self) -> bool:
        return self._built is not None

    @property
    def _network(self) -> _core.Model:
        if self._built is None:
            self._check_call()
            raise ValueError(
                f"[{self.name}] has no input shape yet: call build(input_shape) with a shape such as "
                "(None, 28, 28, 1), or fit or predict, which take it from the data"
            )
        return self._built

    def _ensure_built(self, x: Any, what: str) -> None:
        if not self._is_built():
            self._draw(_placeholders.of_data(x, what))

    def _ensure_drawn(self, symbols: Sequence[Any]) -> None:
        if not self._is_built():
            self._draw(_placeholders.like(symbols_of(symbols, "the input")))

    def _draw(self, inputs: Any) -> None:
        """Build from what `call` returns for these symbols: one, a list, or a dict of them."""
        self._check_call()
        with building:
            if self._is_built():  # by another thread
                return
            result = draw_with(self.call, inputs)
            outputs = outputs_of(result, f"what {type(self).__name__}.call returns")
            self._inputs, self._outputs = _placeholders.listed(inputs), outputs
            self._named_outputs = isinstance(result, Mapping)
            try:
                self._build()
            except BaseException:
                self._inputs, self._outputs = [], []
                raise

    def build(self, input_shape: Any) -> None:
        """Draw the network of a subclass with `call` for an input shape, batch first: `(None, 28, 28, 1)`, or for
        several in a list or a dict. It may be built once.

        Raises:
            ValueError: the shape does not fit, or the model is built for another one.
        """
        with self._training.take(), building:
            inputs = _placeholders.of_shape(input_shape)
            if not self._is_built():
                self._draw(inputs)
                return
            given, have = ([symbol.shape for symbol in one] for one in (_placeholders.listed(inputs), self._inputs))
            if given != have:
                raise ValueError(
                    f"[{self.name}] build: the model is built for the input shape {one_or_all(have)}, "
                    f"got {one_or_all(given)}"
                )

    def _begin(
        self, name: str, seed: int | None, inputs: Sequence[Symbol] = (), outputs: Sequence[Symbol] = ()
    ) -> None:
        super()._begin(name, seed, inputs, outputs)
        self._trainer: Trainer | None = None
        self._history: History | None = None

    # Training

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool | None = False,
        steps_per_execution: int | None = 1,
        jit_compile: bool | str | None = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Set the optimizer, the losses and the metrics for training.

        Args:
            optimizer: an object of `striate.optimizers`, or a name.
            loss: an object of `striate.losses`, or a name; for several outputs a list, or a dict by the names of the
                output layers, or one for all. An output that the dict lacks, or whose loss is None, is not trained.
            loss_weights: weights of the losses of several outputs in their sum: a list or a dict.
            metrics: a list of objects of `striate.metrics` or names; for several outputs a list of lists, or a dict.
            weighted_metrics: in the same forms as `metrics`; computed with the sample weights.
            run_eagerly: changes nothing, as the next three: taken for scripts written for Keras. A warning says so once
                where one asks for something.
            steps_per_execution: see `run_eagerly`.
            jit_compile: see `run_eagerly`.
            auto_scale_loss: see `run_eagerly`.

        Raises:
            ValueError: a name is unknown, or the loss does not fit the output.
            RuntimeError: another thread is training the model.
        """
        given = {"run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution}
        ignore("compile", {**given, "auto_scale_loss": auto_scale_loss}, COMPILING)
        from striate.trainer import Trainer

        with self._training.take():
            self._trainer = Trainer._of_model(self, optimizer, loss, metrics, loss_weights, weighted_metrics)

    def _compiled(self, who: str) -> Trainer:
        if self._trainer is None:
            raise ValueError(f"{who}: the model is not compiled; call compile(optimizer, loss, metrics) first")
        return self._trainer

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer that the model was compiled with."""
        return self._compiled("optimizer").optimizer

    @property
    def loss(self) -> Loss | list[Loss | None]:
        """The loss that the model was compiled with; a list for several outputs."""
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
        shards: int | None = None,
        **switches: Any,
    ) -> History:
        """Train; see `Trainer.fit`. `workers`, `use_multiprocessing` and `max_queue_size` change nothing."""
        given = {name: value for name, value in locals().items() if name not in ("self", "switches")}
        ignore("fit", switches, LOADING, tuple(given))
        self._history = self._compiled("fit").fit(**given)
        return self._history

    @property
    def history(self) -> History | None:
        """The `History` of the last `fit`, or None."""
        return self._history

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
        distributed: bool = False,
        **switches: Any,
    ) -> Any:
        """Loss and metrics on an array; see `Trainer.evaluate`. `workers` and the like change nothing, as in `fit`."""
        given = {name: value for name, value in locals().items() if name not in ("self", "switches")}
        ignore("evaluate", switches, LOADING, tuple(given))
        return self._compiled("evaluate").evaluate(**given)

    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; see `Trainer.train_on_batch`."""
        return self._compiled("train_on_batch").train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics on one batch, as in inference; see `Trainer.test_on_batch`."""
        return self._compiled("test_on_batch").test_on_batch(x, y, sample_weight, return_dict)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that the model was compiled with, weighted ones last."""
        return self._compiled("metrics").metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` and `train_on_batch` return, in order: "loss", then the metrics."""
        return self._compiled("metrics_names").value_names

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._trainer is not None

    def reset_metrics(self) -> None:
        """Do nothing; exists for Keras scripts. Metrics are reset before each epoch, evaluation and single batch."""

    # Files

    def save(self, path: PathLike, overwrite: bool = True) -> None:
        """Write the model as one safetensors file: the weights as any reader opens them, the architecture as JSON in
        the metadata. The arguments of `compile` are stored too, without the optimizer's state.

        The file is written beside `path` under another name and renamed: there is always the old or the whole new file,
        also when the process is killed. Permissions of the old file are kept, and a symbolic link is followed.

        Args:
            path: the file.
            overwrite: whether a file of that name is replaced.

        Raises:
            OSError: the file cannot be written; the old file is as it was.
            FileExistsError: it is there, and `overwrite` is False.
        """
        from striate._saving import save_model

        training = None if self._trainer is None else self._trainer.get_config()
        save_model(self, path, overwrite, training)

    def save_weights(self, path: PathLike, overwrite: bool = True) -> None:
        """Write the weights alone as a safetensors file."""
        from striate._saving import save_weights

        save_weights(self, path, overwrite)

    def load_weights(self, path: PathLike, skip_mismatch: bool = False, by_name: bool = False) -> None:
        """Read the weights from a file that `save` or `save_weights` wrote.

        Weights are matched by the names of their layers. By default the file must hold all weights of the model and no
        others. A layer is read whole or not at all.

        Args:
            path: the file.
            skip_mismatch: whether layers that do not fit are left as they are, with a warning that names them: layers
                whose weights in the file are missing or have other shapes, such as a head for another number of
                classes, and layers that only the file has.
            by_name: whether only layers that both the file and the model have are read. Others are ignored without a
                warning.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: the file is damaged, or does not fit, or no layer of it fits; no weight is changed then.
        """
        from striate._saving import load_weights

        load_weights(self, path, skip_mismatch, by_name)

    def export(self, path: PathLike, overwrite: bool = True, data_format: str = "channels_last") -> None:
        """Write the model as an ONNX file, as inference computes it; it needs `pip install 'striate[onnx]'`.

        The batch stays free. Only operators of ONNX's version 17 (2022) are used.

        Args:
            path: the file.
            overwrite: whether a file of that name is replaced.
            data_format: layout of maps at the inputs and outputs: "channels_last", as the model has them, or
                "channels_first", (N, C, H, W).

        Raises:
            ImportError: the onnx package is missing.
            ValueError: a layer has no counterpart in ONNX; the message lists all that have not.
            OSError: the file cannot be written.
            FileExistsError: it is there, and `overwrite` is False.
        """
        from striate.onnx._exporter import export_model

        export_model(self, path, overwrite, data_format)

    # What it is like

    def summary(
        self,
        line_length: int | None = None,
        print_fn: Callable[[str], object] | None = None,
        batch_size: int | None = None,
    ) -> None:
        """Print for each layer the output shape, parameters, multiply-adds of one sample, and the receptive field: the
        side in pixels of what one unit sees of the input, and the distance (jump) between neighbouring units.

        Args:
            line_length: characters in a line; None for as many as it takes.
            print_fn: takes each line; None prints.
            batch_size: adds the working memory of a prediction, and of a training step if the model is compiled.
        """
        from striate.summary import summary_lines

        training = None if self._trainer is None or batch_size is None else self._trainer._settle()
        for line in summary_lines(self, line_length, batch_size, training):
            (print_fn or print)(line)

    def receptive_field(self, layer: str | Layer) -> ReceptiveField | None:
        """The receptive field of one unit of a layer: size and jump in pixels, each (height, width).

        Args:
            layer: a layer of this model, or its name.

        Returns:
            A named tuple (size, jump), with Araujo, Norris and Sim's rule ("Computing Receptive Fields of Convolutional
            Neural Networks", Distill 2019); None where the input is not a map.

        Raises:
            ValueError: no layer has this name or index.
        """
        from striate.summary import receptive_field

        return receptive_field(self, layer)

    def profile(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = 32,
        steps: int = 10,
        trace: PathLike | None = None,
    ) -> Profile:
        """Measure each step of a training step, or of a prediction, and print a table.

        For each step: the layer, what it does, milliseconds, GFLOP/s (of the multiply-adds' peak) or GB/s (of a copy of
        about the same size), both limits being measured in the same call, and the share of the whole.

        Training changes the model while it is measured. Afterwards the weights, the moving averages, the gradients, the
        optimizer's state and its count of steps are what they were before, bit for bit.

        Args:
            x: as for `predict` or `fit`.
            y: targets, as for `fit`: training steps of the compiled model are measured. None: predictions.
            batch_size: samples of a run, or all if there are fewer; None for 32.
            steps: runs that are measured, after one that is not; each takes the next batch.
            trace: a file for the runs in Chrome's trace format (chrome://tracing, Perfetto), one row for each thread.

        Returns:
            The printed figures, as a `striate.profiling.Profile`; its `rows` has one for each step.

        Raises:
            ValueError: a shape does not fit, or there is `y` and the model is not compiled.
            TypeError: an array holds no numbers.
            OSError: the trace cannot be written.
        """
        from striate.profiling import profile

        trainer = None if y is None else self._compiled("profile")
        return profile(self, x, y, trainer=trainer, batch_size=batch_size, steps=steps, trace=trace)

    def feature_maps(self, x: Any, layers: str | Sequence[str | Layer] | None = None) -> dict[str, FloatArray]:
        """The outputs of layers for an array of inputs.

        Args:
            x: as for `predict`.
            layers: names of layers (or layers); None for every layer whose output is a map.

        Returns:
            Layer name -> output (N, ...).
        """
        from striate.inspection import feature_maps

        return feature_maps(self, x, layers)

    def grad_cam(
        self, x: Any, class_index: Any = None, layer: str | Layer | None = None, region: Any = None
    ) -> FloatArray:
        """The parts of each image that increase the score of a class (Selvaraju et al., "Grad-CAM", ICCV 2017).

        A layer's maps are weighed by the mean gradient of the class's score to them; the positive part of their sum is
        enlarged to the image. The score is that before a softmax or sigmoid at the end. Of a segmentation it is the sum
        over a region's pixels (Vinogradova, Dibrov and Myers, "Towards Interpretable Semantic Segmentation via
        Gradient-weighted Class Activation Mapping", AAAI 2020), of `models.detector` that over the places within a box,
        of the object's score and its class's.

        Args:
            x: (N, H, W, C).
            class_index: one for all images or one for each; None for the highest score, or the class of most pixels.
            layer: whose maps; None for the last map of more than one pixel, of a segmentation the last of the coarsest
                maps, of a detector the finest maps that boxes are read from.
            region: of a segmentation a mask (N, H, W) or (H, W), by default the pixels of the class; of a detector one
                box for each image (N, 4), x1, y1, x2, y2 in pixels, by default the one of the highest score.

        Returns:
            (N, H, W), from 0; each image's highest value is 1, unless nothing speaks for the class.

        Raises:
            ValueError: the model has another kind of output, or an argument does not fit.
        """
        from striate.inspection import grad_cam

        return grad_cam(self, x, class_index, layer, region)

    # Pickles: for copy.deepcopy, joblib and multiprocessing

    def __reduce__(self) -> Any:
        return type(self)._of_state, (self._state(),)

    def _state(self) -> dict[str, Any]:
        """All that a built model is: network, weights, how its plans are built, and its training so far."""
        return {
            "architecture": _core.architecture_json(self._network),
            "name": self.name,
            "seed": self.seed,
            "choices": dict(self._choices),
            "named": self._named_outputs,
            "own": {layer.name: layer for layer in self._layers if layer.own},
            "weights": self.get_weights(),
            "training": None if self._trainer is None else self._trainer._state(),
        }

    @classmethod
    def _of_state(cls, state: Mapping[str, Any]) -> Model:
        """The model of `_state`."""
        own = state["own"]
        core, _kept = built(state["architecture"], state["seed"], lambda kind, config, name: own[name])
        model = cls._class_for(core)._of_core(core, state["name"])
        model._named_outputs = state["named"]
        model._choose(**state["choices"])
        model.set_weights(state["weights"])
        model._resume(state["training"])
        return model

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Model:
        """An untrained model of the architecture that `get_config` returned, with new initial weights.

        Args:
            config: what it returned.
            custom_objects: a dict of name and class, for custom layers.

        Raises:
            ValueError: the architecture is damaged, or names a layer that `custom_objects` lacks.
        """
        seed = next_seed(None, "from_config")
        core, _kept = built(json.dumps(config["architecture"]), seed, maker(custom_objects))
        return cls._class_for(core)._of_core(core, str(config["name"]))

    @classmethod
    def _class_for(cls, core: _core.Model) -> type[Model]:
        """The class of a model with this network."""
        return Model if cls._has_call() else cls

    def _resume(self, training: Mapping[str, Any] | None) -> None:
        """Compile as the trainer of this state was, and go on from there."""
        if training is not None:
            self.compile(**training["given"])
            self._compiled("unpickle")._go_on(training)

    def _repr_html_(self) -> str:
        """The summary as a table, for notebooks."""
        if not self._is_built():
            return f"<code>{escape(repr(self))}</code>"
        from striate.summary import summary_html

        return summary_html(self)
