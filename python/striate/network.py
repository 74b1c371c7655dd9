"""A network: its structure and weights, prediction, and single passes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from striate import _core, _keras_names
from striate._arrays import AnyArray, FloatArray, as_float32, inputs_for, is_input, numbers
from striate._attributes import check_attribute
from striate._building import draw, join, layers_of
from striate._checks import batch_of, next_seed
from striate._data import Data
from striate._devices import device_of
from striate._names import in_order
from striate._reading import ahead_of
from striate._rows import Batch, Row, Rows, as_batch
from striate._sharing import Claims, ThreadTurn, building, turn_of_store
from striate._sources import Batches, Source, batches_of, check_batch, source_of
from striate.layers._base import Layer, Symbol, layer_of_core
from striate.layers._mode import mode_of
from striate.layers._weights import Weight, assign

if TYPE_CHECKING:
    from striate.callbacks import Callback

N = TypeVar("N", bound="Network")


class Network:
    """The part of `striate.Model` that knows nothing of training and files.

    Attributes:
        stop_training: set to True by a callback to end `fit`.
    """

    kind: ClassVar[str] = "Model"
    """The class that a file of it names."""
    holds_weights: ClassVar[bool] = True
    """Whether a layer of the user's takes it for a part of itself."""

    def _begin(
        self, name: str, seed: int | None, inputs: Sequence[Symbol] = (), outputs: Sequence[Symbol] = ()
    ) -> None:
        self.name = name
        # Of how and where plans are built, when not as the environment says.
        self._choices: dict[str, bool | str] = {}
        self.stop_training = False
        self._seed = next_seed(seed, type(self).__name__)
        self._inputs, self._outputs = inputs, outputs
        self._named_outputs = False  # they are a dict
        self._built: _core.Model | None = None
        self._layers: list[Layer] = []
        self._of_stores: list[tuple[ThreadTurn, str]] = []  # with a layer whose weights are there
        self._training = ThreadTurn(
            "another thread is training this model; wait until it has ended, or give each thread its own model"
        )

    def _choose(self, **choices: bool | str) -> None:
        """Choose how and where plans are built, of the network there is and of those that replace it."""
        for what, value in choices.items():
            if what == "device":
                if not isinstance(value, str):
                    raise TypeError(f"[{self.name}] device must be a string such as 'cpu' or 'cuda', got {value!r}")
                value = device_of(value)
            elif not isinstance(value, bool):
                raise TypeError(f"[{self.name}] {what} must be True or False, got {value!r}")
            self._choices[what] = value
            if self._built is not None:
                setattr(self._built, what, value)

    def _build(self) -> None:
        """Make the network of the symbols, in place of the one there was."""
        core = _core.Model([s._core for s in self._inputs], [s._core for s in self._outputs], self._seed)
        _prepare(core)
        for what, value in self._choices.items():
            setattr(core, what, value)
        with building:
            self._layers = join(layers_of(self._outputs), core)
            self._of_stores = [(turn_of_store(store), layer) for store, layer in core.stores]
            self._built = core

    @classmethod
    def _of_core(cls: type[N], core: _core.Model, name: str) -> N:
        """The model for one of the core's, such as a file holds."""
        _prepare(core)
        model = cls.__new__(cls)
        model._begin(name, core.seed)
        layers = []
        for place, (description, _, _) in enumerate(core.layers):
            layer = layer_of_core(description)
            layer._belong(core, place)
            layers.append(layer)
        symbols = draw(core, layers, {})
        model._inputs = [symbols[node] for node in core.input_nodes]
        model._outputs = [symbols[node] for node in core.output_nodes]
        model._layers, model._built = layers, core
        model._of_stores = [(turn_of_store(store), layer) for store, layer in core.stores]
        return model

    def _take_training(self) -> Claims:
        """The turn of training this model, and all models that have layers in common with it.

        Raises:
            RuntimeError: another thread has it.
        """
        claims = [self._training.take()]
        for turn, layer in self._of_stores:
            claims.append(
                turn.take(
                    f"another thread is training a model that has the layer {layer!r} in common with {self.name!r}; "
                    "wait until it has ended, or give each thread a copy: copy.deepcopy(model)"
                )
            )
        return Claims(claims)

    @property
    def _network(self) -> _core.Model:
        assert self._built is not None
        return self._built

    def _shaped(self, outputs: list[Any]) -> Any:
        """The only output, a list of several, or a dict of them where the model was given one."""
        return dict(zip(self.output_names, outputs, strict=True)) if self._named_outputs else one_or_all(outputs)

    def _is_built(self) -> bool:
        """Whether the shapes are known."""
        return True

    def _ensure_built(self, x: Any, what: str) -> None:
        """Build from the shape of the data what has no input shape yet."""

    def _ensure_drawn(self, symbols: Sequence[Any]) -> None:
        """Build for inputs of the shapes of symbols what has no input shape yet."""

    def __call__(self, inputs: Any, training: bool | None = None) -> Any:
        """Use the whole network as a layer, on symbols, or compute its outputs, on arrays.

        On symbols, a model that is built with the result has this model's layers, with their weights; see `Layer`.

        Args:
            inputs: arrays or symbols, one or a list of several.
            training: for arrays, whether layers behave as in training; None for False. For symbols, see
                `Layer.__call__`.
        """
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if not any(isinstance(item, Symbol) for item in given):
            return self.forward(inputs, training) if training else self.predict_on_batch(inputs)
        self._ensure_drawn(given)
        if len(given) != len(self.inputs):
            raise ValueError(f"[{self.name}] takes {len(self.inputs)} inputs, got {len(given)}")
        core = self._network
        symbols = draw(core, self._layers, dict(zip(core.input_nodes, given, strict=True)), mode_of(training))
        return self._shaped([symbols[node] for node in core.output_nodes])

    # What it is made of

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, inputs included: a copy that cannot be changed."""
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

    @property
    def device(self) -> str:
        """Where the model computes: "cpu", or "cuda:" with the number of a GPU. May be set, also to "cuda" for the
        first GPU, and also of a model that was loaded: no file keeps it.

        Raises:
            RuntimeError: set to a GPU that cannot be used: the plugin, the driver or the GPU is missing or too old; the
                message says which.
            ValueError: set to another name, or to the number of a GPU that there is not.
        """
        return self._built.device if self._built is not None else str(self._choices.get("device") or device_of(""))

    @device.setter
    def device(self, value: str) -> None:
        self._choose(device=value)

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
            layer.trainable = value

    def count_params(self) -> int:
        """The number of weights, trainable or not."""
        return sum(int(np.prod(info.shape, dtype=np.int64)) for info in self._network.parameters)

    def get_config(self) -> dict[str, Any]:
        """The name and the architecture, without weights: what `Model.from_config` takes."""
        return {"name": self.name, "architecture": json.loads(_core.architecture_json(self._network))}

    def to_json(self) -> str:
        """The class and `get_config()` as JSON: what `striate.models.model_from_json` takes."""
        return json.dumps({"class": self.kind, "config": self.get_config()})

    @property
    def built(self) -> bool:
        """Whether the shapes are known and there are weights."""
        return self._is_built()

    # Weights

    @property
    def weights(self) -> list[Weight]:
        """All weights as variables, in the order of `get_weights`."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes with gradients."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that gradients do not change: moving averages, and weights of frozen layers."""
        return [weight for weight in self.weights if not weight.trainable]

    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights

    def get_weights(self) -> list[FloatArray]:
        """Copies of all weights, layer by layer, each in the order of `Layer.get_weights`."""
        core = self._network
        return core.values(range(len(core.parameters)))

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set all weights from arrays in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape does not fit; no weight is changed then.
        """
        assign(self._network, range(len(self._network.parameters)), weights, "set_weights")

    def state_dict(self) -> dict[str, FloatArray]:
        """Copies of all weights by name, such as "conv2d/kernel"."""
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

    # Computing

    def predict(
        self,
        x: Any,
        batch_size: int | None = 32,
        verbose: str | int = 0,
        callbacks: Sequence[Callback] | None = None,
        steps: int | None = None,
    ) -> Any:
        """The outputs for an array of inputs. Several threads may call it at once.

        Args:
            x: (N, ...), float32 or uint8 (other numbers are converted); a list, or a dict by name, for several inputs;
                or rows (`striate.data.rows`) or an iterable of batches, as for `fit`, whose targets are not used.
            batch_size: samples that are computed together; None for 32. Batches of an iterable have their own size.
            verbose: 1 for a progress bar.
            callbacks: objects of `striate.callbacks`.
            steps: batches, if fewer than the data have; needed where `x` is a generator.

        Returns:
            (N, ...), float32; a list for several outputs; a dict where the model was given a dict of outputs.

        Raises:
            ValueError: the shape does not fit, or there are no samples.
            TypeError: the array holds no numbers.
        """
        batch_size = batch_of(batch_size, "predict")
        source = source_of(x, None, None, "predict")
        if source is not None:
            return self._predict_source(source, batch_size, verbose, callbacks, steps)
        inputs = self._arrays(x, "predict")
        if steps is not None:
            limit = batches_of(steps, len(inputs[0]), batch_size, "predict: steps")
            inputs = [array[: (limit or 0) * batch_size] for array in inputs]
        core, rows = self._network, len(inputs[0])
        outputs = [np.empty((rows, *shape), np.float32) for shape in core.output_shapes]
        if not callbacks and verbose in (0, "auto"):
            core.predict_into(inputs, batch_size, outputs)
            return self._shaped(outputs)
        from striate.callbacks import CallbackList

        steps = -(-rows // batch_size)
        watched = CallbackList(callbacks, add_progbar=True, model=self, verbose=verbose, steps=steps, epochs=1)
        watched.on_predict_begin()
        for batch in range(max(steps, 1)):
            part = slice(batch * batch_size, (batch + 1) * batch_size)
            watched.on_predict_batch_begin(batch)
            core.predict_into([array[part] for array in inputs], batch_size, [array[part] for array in outputs])
            watched.on_predict_batch_end(batch)
        watched.on_predict_end()
        return self._shaped(outputs)

    def _predict_source(self, source: Source, batch_size: int, verbose: Any, callbacks: Any, steps: int | None) -> Any:
        """The outputs for rows or batches that are read meanwhile."""
        from striate.callbacks import CallbackList

        first = source.read([0])[0] if isinstance(source, Rows) else source.first()
        example = as_batch(first.x) if isinstance(source, Rows) else first.x
        self._ensure_built(example, "predict: x")
        core, names = self._network, self.input_names
        if isinstance(source, Batches):
            check_batch(example, core.input_shapes, "predict", source.kind)
        limit = batches_of(steps, source, batch_size, "predict: steps")
        verbose = 0 if verbose == "auto" and not callbacks else verbose
        shown = source.count if limit is None and isinstance(source, Batches) else limit
        watched = CallbackList(callbacks, add_progbar=True, model=self, verbose=verbose, steps=shown, epochs=1)

        def convert(x: Any, y: Any, weight: Any) -> Data:
            return Data(inputs_for(x, core.input_shapes, names, "predict: x"), [], [])

        def memory(capacity: int) -> Batch:
            return Batch(Row(first.x), capacity, len(names), 1, set(), only_inputs=True)

        ahead = ahead_of(source, convert, memory, None, batch_size, limit)
        parts: list[list[FloatArray]] = []
        watched.on_predict_begin()
        try:
            while (data := ahead.next()) is not None:
                watched.on_predict_batch_begin(len(parts))
                parts.append([np.empty((data.rows, *shape), np.float32) for shape in core.output_shapes])
                core.predict_into(data.inputs, data.rows, parts[-1])
                watched.on_predict_batch_end(len(parts) - 1)
        finally:
            ahead.close()
            if isinstance(source, Batches):
                source.release()
        watched.on_predict_end()
        return self._shaped([np.concatenate(arrays) for arrays in zip(*parts, strict=True)])

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, computed together."""
        inputs, network = self._arrays(x, "predict_on_batch"), self._network
        rows = len(inputs[0])
        outputs = [np.empty((rows, *shape), np.float32) for shape in network.output_shapes]
        network.predict_into(inputs, max(rows, 1), outputs)
        return self._shaped(outputs)

    def forward(self, x: Any, training: bool = False) -> Any:
        """One raw pass over an array, all samples together, without loss or optimizer. `backward` may follow.

        Args:
            x: as for `predict`.
            training: whether layers behave as in training: batch statistics, dropout.
        """
        arrays = self._arrays(x, "forward")
        return self._shaped(self._network.forward(arrays, bool(training)))

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

    def _arrays(self, x: Any, who: str) -> list[AnyArray]:
        # Small networks take a few microseconds an image: no time for a second look at what is right.
        if self._built is not None and is_input(x, self._built.input_shapes):
            return [x]
        x = getattr(x, "images", x)  # an ImageDataset
        self._ensure_built(x, f"{who}: x")
        return inputs_for(x, self._network.input_shapes, self.input_names, f"{who}: x")

    def __getattr__(self, name: str) -> Any:
        # Called for what is no attribute.
        if name.startswith("_") and not name.startswith("__") and "_built" not in vars(self):
            raise RuntimeError(f"{type(self).__name__}.__init__ must call super().__init__() first")
        hint = f"; {_keras_names.MODEL[name]}" if name in _keras_names.MODEL else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        check_attribute(self, name, type(self).__name__, (), _keras_names.MODEL)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        if self._built is None:
            return f"<{type(self).__name__} {self.name!r}, not built>"
        return f"<{type(self).__name__} {self.name!r}: {self.input_shape} -> {self.output_shape}>"


def _prepare(core: _core.Model) -> None:
    """Have the kernels of training where predictions need them."""
    if core.training_nodes:
        _core.use_training_kernels()


def one_or_all(values: list[Any]) -> Any:
    """The only value, or the list of several."""
    return values[0] if len(values) == 1 else values
