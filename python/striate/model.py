"""Networks with their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from striate import _core, _keras_names, _kin
from striate._arrays import AnyArray, FloatArray, as_float32, inputs_for, is_input, numbers
from striate._attributes import check_attribute
from striate._building import draw, join, layers_of, symbols_of
from striate._checks import chosen, next_seed
from striate._files import PathLike
from striate._names import in_order
from striate._own_classes import refuse_methods
from striate._predicting import one_or_all, predict
from striate._sharing import ThreadTurn, building
from striate._trained import Trained
from striate.layers._base import Layer, Symbol, _of_core, assign

if TYPE_CHECKING:
    from striate.callbacks import Callback
    from striate.profiling import Profile
    from striate.summary import ReceptiveField

Shape = tuple[int | None, ...]


class Model(Trained):
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

    Args:
        inputs: what `Input` returned, or a list of several.
        outputs: what the last layer returned, or a list of several.
        name: for the summary.
        seed: of the weights and, unless the trainer is given one, of the training: 0 … 2**64 - 1. None takes the next
            one of the sequence that `striate.set_seed` starts.
        fusion: whether neighbouring layers are computed jointly, such as ReLU with the convolution before it. Results
            differ by rounding alone. None for on, unless STRIATE_FUSION=0 is in the environment.
        winograd: whether 3x3 convolutions may be computed by minimal filtering (Lavin and Gray, "Fast Algorithms for
            Convolutional Neural Networks", CVPR 2016), which takes fewer multiplications and rounds differently. None
            for on, unless STRIATE_WINOGRAD=0 is in the environment.

    Attributes:
        stop_training: set to True by a callback to end `fit`.

    Raises:
        ValueError: an output depends on an input that is not given, or two layers have the same name.
        TypeError: inputs or outputs are no symbols.
    """

    def __init_subclass__(cls) -> None:
        refuse_methods(cls, _keras_names.MODEL_METHODS, _keras_names.INSTEAD_OF_METHODS)

    def __init__(
        self,
        inputs: Symbol | Sequence[Symbol],
        outputs: Symbol | Sequence[Symbol],
        *,
        name: str | None = None,
        seed: int | None = None,
        fusion: bool | None = None,
        winograd: bool | None = None,
    ) -> None:
        self._begin(name or "model", seed, symbols_of(inputs, "inputs"), symbols_of(outputs, "outputs"))
        self._choose(**chosen(fusion=fusion, winograd=winograd))
        self._build()

    def _begin(
        self, name: str, seed: int | None, inputs: Sequence[Symbol] = (), outputs: Sequence[Symbol] = ()
    ) -> None:
        self.name = name
        self._choices: dict[str, bool] = {}  # of how plans are built, where the environment's do not hold
        self.stop_training = False
        self._seed = next_seed(seed, type(self).__name__)
        self._inputs, self._outputs = inputs, outputs
        self._built: _core.Model | None = None
        self._layers: list[Layer] = []
        self._trainer = None
        self._related: _kin.Related | None = None
        self._training = ThreadTurn(
            "another thread is training this model; wait until it has ended, or give each thread a model of its own"
        )

    def _choose(self, **choices: bool) -> None:
        """Choose how plans are built, of the network there is and of those that replace it."""
        for what, value in choices.items():
            if not isinstance(value, bool):
                raise TypeError(f"[{self.name}] {what} must be True or False, got {value!r}")
            self._choices[what] = value
            if self._built is not None:
                setattr(self._built, what, value)

    def _build(self) -> None:
        """Make the network of the symbols, in place of the one there was."""
        core = _core.Model([s._core for s in self._inputs], [s._core for s in self._outputs], self._seed)
        for what, value in self._choices.items():
            setattr(core, what, value)
        with building:
            self._layers = join(layers_of(self._outputs), core, self._built)
            self._built = core

    @classmethod
    def _of_core(cls, core: _core.Model, name: str) -> Model:
        """The model for one of the core's, such as a file holds."""
        model = cls.__new__(cls)
        model._begin(name, core.seed)
        layers = []
        for place, (description, layer_name, _) in enumerate(core.layers):
            layer = _of_core(description)
            layer._trainable = core.trainable(layer_name)
            layer._belong(core, place)
            layers.append(layer)
        symbols = draw(core, layers, {})
        model._inputs = [symbols[node] for node in core.input_nodes]
        model._outputs = [symbols[node] for node in core.output_nodes]
        model._layers, model._built = layers, core
        return model

    @property
    def _network(self) -> _core.Model:
        assert self._built is not None
        return self._built

    def _is_built(self) -> bool:
        """Whether the shapes are known."""
        return True

    def _ensure_built(self, x: Any, what: str) -> None:
        """Build from the shape of the data what has no input shape yet."""

    def __call__(self, inputs: Any, training: bool | None = None) -> Any:
        """Use the whole network as a layer, on symbols, or compute its outputs, on arrays.

        On symbols, a model that is built with the result has layers of its own, which start with copies of the weights;
        see `Layer`.

        Args:
            inputs: arrays or symbols, one or a list of several.
            training: for arrays, whether layers behave as in training; None for False. For symbols, see
                `Layer.__call__`.
        """
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if not any(isinstance(item, Symbol) for item in given):
            return self.forward(inputs, training) if training else self.predict_on_batch(inputs)
        if len(given) != len(self.inputs):
            raise ValueError(f"[{self.name}] takes {len(self.inputs)} inputs, got {len(given)}")
        core = self._network
        symbols = draw(core, self._layers, dict(zip(core.input_nodes, given, strict=True)), training)
        return one_or_all([symbols[node] for node in core.output_nodes])

    # What it is made of

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, inputs included: a copy, which refuses to be changed."""
        _ = self._network
        return _keras_names.Listed(self._layers)

    @property
    def inputs(self) -> list[Symbol]:
        """The symbols of the inputs."""
        _ = self._network
        return list(self._inputs)

    @property
    def outputs(self) -> list[Symbol]:
        """The symbols of the outputs."""
        _ = self._network
        return list(self._outputs)

    @property
    def input(self) -> Symbol | list[Symbol]:
        """The symbol of the input, or a list of several."""
        return self.inputs[0] if len(self._inputs) == 1 else self.inputs

    @property
    def output(self) -> Symbol | list[Symbol]:
        """The symbol of the output, or a list of several."""
        return self.outputs[0] if len(self._outputs) == 1 else self.outputs

    @property
    def input_names(self) -> list[str]:
        """The names of the input layers."""
        return [self._node_name(node) for node in self._network.input_nodes]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [self._node_name(node) for node in self._network.output_nodes]

    @property
    def input_shape(self) -> Any:
        """The shape of the input, batch first: `(None, 28, 28, 1)`; a list of several."""
        return one_or_all([(None, *shape) for shape in self._network.input_shapes])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, batch first: `(None, 10)`; a list of several."""
        return one_or_all([(None, *shape) for shape in self._network.output_shapes])

    @property
    def seed(self) -> int:
        """The seed that the weights were drawn from."""
        return self._seed

    @property
    def fusion(self) -> bool:
        """Whether neighbouring layers are computed jointly; may be set, also of a model that was loaded: no file keeps
        it."""
        return self._network.fusion

    @fusion.setter
    def fusion(self, value: bool) -> None:
        self._choose(fusion=value)

    @property
    def winograd(self) -> bool:
        """Whether convolutions may be computed by minimal filtering; may be set, also of a model that was loaded: no
        file keeps it."""
        return self._network.winograd

    @winograd.setter
    def winograd(self, value: bool) -> None:
        self._choose(winograd=value)

    def _node_name(self, node: int) -> str:
        return self._network.layer(self._network.node(node)[0])[1]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name, or by its place among `layers`.

        Raises:
            ValueError: there is none.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer takes either a name or an index")
        if name is not None:
            if not isinstance(name, str):
                raise TypeError(f"get_layer: name must be a string, got {type(name).__name__}")
            return self._layers[self._network.find_layer(name)]
        layers = self.layers
        assert index is not None
        if not -len(layers) <= index < len(layers):
            raise ValueError(f"get_layer: there are {len(layers)} layers, got index {index}")
        return layers[index]

    @property
    def trainable(self) -> bool:
        """Whether training changes any layer. Setting it sets every layer's."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer._check_trainable(value)
        for layer in self.layers:
            layer.trainable = value

    def count_params(self) -> int:
        """The number of weights, trainable or not."""
        return sum(int(np.prod(info.shape, dtype=np.int64)) for info in self._network.parameters)

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

        for line in summary_lines(self, line_length, batch_size):
            (print_fn or print)(line)

    def receptive_field(self, layer: str | Layer) -> ReceptiveField | None:
        """What one unit of a layer sees of the input: size and jump in pixels, each (height, width).

        Args:
            layer: a layer of this model, or its name.

        Returns:
            A named tuple (size, jump), with Araujo, Norris and Sim's rule ("Computing Receptive Fields of Convolutional
            Neural Networks", Distill 2019); None where the input is no map.

        Raises:
            ValueError: there is no such layer.
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
        """Measure every step of a training step, or of a prediction, and print a table.

        For each step: the layer, what it does, milliseconds, GFLOP/s (of the multiply-adds' peak) or GB/s (of a copy of
        about the same size), both limits being measured in the same call, and the share of the whole.

        Training changes the model while it is measured. Afterwards the weights, the moving averages, the gradients, the
        optimizer's state and its count of steps are what they were before, bit for bit.

        Args:
            x: as for `predict` or `fit`.
            y: targets, as for `fit`: training steps of the compiled model are measured. None: predictions.
            batch_size: samples of a run, or all if there are fewer; None for 32.
            steps: runs that are measured, after one that is not; each takes the next batch.
            trace: a file for the runs in Chrome's trace format (chrome://tracing, Perfetto), a row a thread.

        Returns:
            The printed figures, as a `striate.profiling.Profile`; its `rows` has one for each step.

        Raises:
            ValueError: a shape does not fit, or there is `y` and the model is not compiled.
            TypeError: an array holds no numbers.
            OSError: the trace cannot be written.
        """
        from striate.profiling import profile

        return profile(self, x, y, batch_size=batch_size, steps=steps, trace=trace)

    # Weights

    def get_weights(self) -> list[FloatArray]:
        """Copies of all weights, layer by layer, each in the order of `Layer.get_weights`."""
        self._check_kin("get_weights")
        core = self._network
        return core.values(range(len(core.parameters)))

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set all weights from arrays in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape does not fit; no weight is changed then.
        """
        assign(self._network, range(len(self._network.parameters)), weights, "set_weights")
        _kin.wrote(self._layers)

    def state_dict(self) -> dict[str, FloatArray]:
        """Copies of all weights by name, such as "conv2d/kernel"."""
        self._check_kin("state_dict")
        core = self._network
        infos = core.parameters
        return {info.name: value for info, value in zip(infos, core.values(range(len(infos))), strict=True)}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Set all weights by name.

        Raises:
            ValueError: a name is missing or unknown, or a shape does not fit; no weight is changed then.
        """
        names = [info.name for info in self._network.parameters]
        assign(self._network, range(len(names)), in_order(state, names, "load_state_dict"), "load_state_dict")
        _kin.wrote(self._layers)

    def save(self, path: PathLike, overwrite: bool = True) -> None:
        """Write the model as one safetensors file: the weights as any reader opens them, the architecture as JSON in
        the metadata. What it was compiled with is kept too, but for the optimizer's state and metrics given as objects.

        The file is written beside `path` under another name and renamed: there is always the old or the whole new file,
        also when the process is killed. Permissions of the old file are kept, and a symbolic link is followed.

        Args:
            path: the file.
            overwrite: whether a file of that name is replaced.

        Raises:
            OSError: the file cannot be written; the old file is as it was.
            FileExistsError: it is there, and `overwrite` is False.
        """
        from striate.io import save_model

        self._check_kin("save")
        save_model(self, path, overwrite)

    def save_weights(self, path: PathLike, overwrite: bool = True) -> None:
        """Write the weights alone as a safetensors file."""
        from striate.io import save_weights

        self._check_kin("save_weights")
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
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or does not fit, or no layer of it fits; no weight is changed then.
        """
        from striate.io import load_weights

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

        self._check_kin("export")
        export_model(self, path, overwrite, data_format)

    # Computing

    def predict(
        self, x: Any, batch_size: int | None = 32, verbose: str | int = 0, callbacks: Sequence[Callback] | None = None
    ) -> Any:
        """The outputs for an array of inputs. Several threads may call it at once.

        Args:
            x: (N, ...), float32 or uint8 (other numbers are converted); a list, or a dict by name, for several inputs.
            batch_size: samples that are computed together; None for 32.
            verbose: 1 for a progress bar.
            callbacks: objects of `striate.callbacks`.

        Returns:
            (N, ...), float32; a list for several outputs.

        Raises:
            ValueError: the shape does not fit, or there are no samples.
            TypeError: the array holds no numbers.
        """
        return predict(self, x, batch_size, verbose, callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, computed together."""
        inputs = self._arrays(x, "predict_on_batch")
        rows = len(inputs[0])
        outputs = [np.empty((rows, *shape), np.float32) for shape in self._network.output_shapes]
        self._network.predict_into(inputs, max(rows, 1), outputs)
        return one_or_all(outputs)

    def forward(self, x: Any, training: bool = False) -> Any:
        """One raw pass over an array, all samples together, without loss or optimizer. `backward` may follow.

        Args:
            x: as for `predict`.
            training: whether layers behave as in training: batch statistics, dropout.
        """
        arrays = self._arrays(x, "forward")
        return one_or_all(self._network.forward(arrays, bool(training)))

    def backward(self, grad_output: Any) -> Any:
        """The gradient with respect to the input, for a gradient with respect to the output of the last `forward`.

        The weights' are then in `gradients()`. It may be called once for a `forward`, by the same thread, while the
        weights are the same.

        Args:
            grad_output: of the output's shape; a list for several outputs.

        Returns:
            Of the input's shape; a list for several inputs.
        """
        several = len(self._network.output_nodes) > 1
        given = list(grad_output) if several and isinstance(grad_output, (list, tuple)) else [grad_output]
        arrays = [as_float32(numbers(item, "backward: grad_output")) for item in given]
        return one_or_all(self._network.backward(arrays))

    def gradients(self) -> dict[str, FloatArray]:
        """Copies of the weights' gradients of the last pass, of `backward` or of a training step, by name."""
        core = self._network
        infos = {index: info for index, info in enumerate(core.parameters) if info.trainable}
        found = zip(infos.values(), core.gradients(list(infos)), strict=True)
        return {info.name: value for info, value in found if value is not None}

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

    def grad_cam(self, x: Any, class_index: Any = None, layer: str | Layer | None = None) -> FloatArray:
        """The parts of each image that speak for a class (Selvaraju et al., "Grad-CAM", ICCV 2017).

        A layer's maps are weighed by the mean gradient of the class's score to them; the positive part of their sum is
        enlarged to the image. The score is that before a softmax or sigmoid at the end.

        Args:
            x: (N, H, W, C).
            class_index: one for all images or one for each; None for the highest score.
            layer: whose maps; None for the last one whose output is a map of more than one pixel.

        Returns:
            (N, H, W), from 0; each image's highest value is 1, unless nothing speaks for the class.
        """
        from striate.inspection import grad_cam

        return grad_cam(self, x, class_index, layer)

    def _check_kin(self, who: str) -> _kin.Related:
        """Refuse to go on with weights that were changed in another model; see `Layer`."""
        _ = self._network
        self._related = _kin.check(self._layers, self._related, f"[{self.name}] {who}")
        return self._related

    def _arrays(self, x: Any, who: str) -> list[AnyArray]:
        # Small networks take a few microseconds an image: no time for a second look at what is right.
        if _kin.families and self._built is not None:
            self._check_kin(who)
        if self._built is not None and is_input(x, self._built.input_shapes):
            return [x]
        x = getattr(x, "images", x)  # an ImageDataset
        self._ensure_built(x, f"{who}: x")
        return inputs_for(x, self._network.input_shapes, self.input_names, f"{who}: x")

    def __getattr__(self, name: str) -> Any:
        # Called for what is no attribute.
        hint = f"; {_keras_names.MODEL[name]}" if name in _keras_names.MODEL else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        check_attribute(self, name, type(self).__name__, (), _keras_names.MODEL)
        super().__setattr__(name, value)

    def __reduce__(self) -> Any:
        from striate._pickling import model_of, model_state

        return model_of, (type(self), model_state(self))

    def _repr_html_(self) -> str:
        """The summary as a table, for notebooks."""
        if not self._is_built():
            return f"<code>{escape(repr(self))}</code>"
        from striate.summary import summary_html

        return summary_html(self)

    def __repr__(self) -> str:
        if self._built is None:
            return f"<{type(self).__name__} {self.name!r}, not built>"
        return f"<{type(self).__name__} {self.name!r}: {self.input_shape} -> {self.output_shape}>"
