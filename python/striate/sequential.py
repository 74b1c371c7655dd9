"""Networks whose layers follow one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from striate import _core
from striate._arrays import numbers
from striate._building import is_chain
from striate._checks import chosen
from striate._keras_names import INSTEAD_OF_METHODS, Listed
from striate._own_classes import refuse_methods
from striate._placeholders import without_batch
from striate._sharing import building
from striate.layers._base import Layer, Symbol, layer_from
from striate.layers.core import Input, InputLayer
from striate.model import Model

S = TypeVar("S", bound="Sequential")


class Sequential(Model):
    """A network whose layers form a chain.

    Args:
        layers: in order, beginning with `Input(shape)`, or with a layer that has `input_shape=`. Without either, the
            input's shape is taken from the first data.
        name: the model's name in `summary`.
        seed, fusion, winograd, device: as for `Model`.

    Raises:
        ValueError: a layer does not fit the output of the one before it.
        TypeError: something else than a layer is given.
    """

    kind = "Sequential"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        refuse_methods(cls, ("call",), INSTEAD_OF_METHODS)

    def __init__(
        self,
        layers: Sequence[Layer | Symbol | Model] | None = None,
        *,
        name: str | None = None,
        seed: int | None = None,
        fusion: bool | None = None,
        winograd: bool | None = None,
        device: str | None = None,
    ) -> None:
        self._begin(name or "sequential", seed)
        self._choose(**chosen(fusion=fusion, winograd=winograd, device=device))
        self._items: list[Layer | Model] = []
        self._tails: list[Symbol] = []  # the input's, then the output of each item; empty as long as there is no input
        for layer in layers or ():
            self.add(layer)
        if self._items and self._tails:
            self._build()

    @classmethod
    def _of_core(cls: type[S], core: _core.Model, name: str) -> S:
        model = super()._of_core(core, name)
        layers = [layer for layer in model._layers if not isinstance(layer, InputLayer)]
        model._items = list(layers)
        model._tails = [model._inputs[0], *(layer.output for layer in layers)]
        return model

    def add(self, layer: Layer | Symbol | Model) -> None:
        """Add a layer at the end. Trained weights are kept; `compile` is not needed again.

        Raises:
            ValueError: it does not fit the output of the layer before it.
            TypeError: it is not a layer.
            RuntimeError: another thread is training the model.
        """
        with self._training.take(), building:
            self._add(layer)

    def _add(self, layer: Layer | Symbol | Model) -> None:
        if isinstance(layer, InputLayer):
            layer = layer._symbol()
        if isinstance(layer, Symbol):
            self._set_input(layer)
            return
        if isinstance(layer, type):
            raise TypeError(f"Sequential takes layers, got the class {layer.__name__}; write {layer.__name__}(...)")
        if not isinstance(layer, (Layer, Model)):
            raise TypeError(f"Sequential takes layers such as Flatten(), got {type(layer).__name__}")
        if any(item is layer for item in self._items):
            raise ValueError(
                f"[{layer.name}] is in the Sequential already; make a new layer, or use Model to share one"
            )
        if not self._items and not self._tails:
            shape = layer.input_shape[1:] if isinstance(layer, Model) else layer._first_shape
            if shape is not None:
                self._set_input(Input(shape))
        counts = len(self._tails), len(self._items)
        try:
            if self._tails:
                self._tails.append(self._after(self._tails[-1], layer))
            self._items.append(layer)
            self._built = None if self._built is None else self._rebuilt()
        except BaseException:  # it is as it was before
            del self._tails[counts[0] :], self._items[counts[1] :]
            raise

    def pop(self) -> None:
        """Remove the last layer.

        Raises:
            ValueError: there is none.
            RuntimeError: another thread is training the model.
        """
        with self._training.take(), building:
            if not self._items:
                raise ValueError("pop: the Sequential has no layers")
            items, tails = list(self._items), list(self._tails)
            try:
                self._items.pop()
                if self._tails:
                    self._tails.pop()
                self._built = None if self._built is None else self._rebuilt()
            except BaseException:  # it is as it was before
                self._items, self._tails = items, tails
                raise

    def _rebuilt(self) -> _core.Model | None:
        if not self._items:
            return None
        self._build()
        return self._built

    def _set_input(self, symbol: Symbol) -> None:
        if not isinstance(symbol.layer, InputLayer):
            raise TypeError(
                "Sequential takes layers that are not called yet; the functional form is Model(inputs, outputs)"
            )
        if self._items or self._tails:
            raise ValueError(f"[{symbol.name}] an Input is the first item of a Sequential")
        self._tails = [symbol]

    def _after(self, tail: Symbol, item: Layer | Model) -> Symbol:
        result = item(tail)
        if not isinstance(result, Symbol):
            raise ValueError(f"[{item.name}] has several outputs; the functional form is Model(inputs, outputs)")
        return result

    def _build(self) -> None:
        before = self._inputs, self._outputs
        self._inputs, self._outputs = [self._tails[0]], [self._tails[-1]]
        try:
            super()._build()
        except BaseException:
            self._inputs, self._outputs = before
            raise

    @property
    def _network(self) -> _core.Model:
        if self._built is None:
            if not self._items:
                raise ValueError(f"[{self.name}] has no layers yet")
            if not self._tails:
                raise ValueError(
                    f"[{self.name}] has no input shape yet: begin it with Input(shape), or call fit or predict, "
                    "which take the shape from the data"
                )
            with building:
                if self._built is None:
                    self._build()
        built = self._built
        assert built is not None
        return built

    def _is_built(self) -> bool:
        return bool(self._tails and self._items)

    def _ensure_built(self, x: Any, what: str) -> None:
        if self._tails or not self._items:
            return
        self._draw(Input(numbers(x, what).shape[1:]))

    def _ensure_drawn(self, symbols: Sequence[Any]) -> None:
        if not self._tails and self._items and len(symbols) == 1 and isinstance(symbols[0], Symbol):
            with building:
                self._draw(Input(symbols[0]._core.shape))

    def _draw(self, symbol: Symbol) -> None:
        tails = [symbol]
        for item in self._items:
            tails.append(self._after(tails[-1], item))
        self._tails = tails

    def _state(self) -> dict[str, Any]:
        if self._is_built():
            return super()._state()
        training = None if self._trainer is None else self._trainer._state()
        own = {"name": self.name, "seed": self.seed, "choices": dict(self._choices)}
        return {"items": self._items, **own, "training": training}

    @classmethod
    def _of_state(cls, state: Mapping[str, Any]) -> Model:
        if "items" not in state:
            return super()._of_state(state)
        model = cls.__new__(cls)
        model._begin(state["name"], state["seed"])
        model._choices = dict(state["choices"])
        model._items, model._tails = list(state["items"]), []
        model._resume(state["training"])
        return model

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Build the model for an input shape, batch first: `(None, 28, 28, 1)`. It may be built once.

        Raises:
            ValueError: the shape does not fit, or the model is built for another one.
        """
        with self._training.take(), building:
            shape = without_batch(input_shape)
            if self._tails:
                if tuple(self._tails[0]._core.shape) != shape:
                    raise ValueError(
                        f"[{self.name}] build: the model is built for the input shape {self._tails[0].shape}, "
                        f"got {tuple(input_shape)}"
                    )
                return
            self._draw(Input(shape))

    def get_config(self) -> dict[str, Any]:
        """A dict for `from_config`: the name and the architecture; before the model is built, the name and the layers.

        Raises:
            ValueError: the model is not built and contains another model.
        """
        if self._is_built():
            return super().get_config()
        layers = []
        for item in self._items:
            if isinstance(item, Model):
                raise ValueError(
                    f"[{self.name}] get_config: a Sequential that contains a model ({item.name!r}) must be built "
                    "first; call build(input_shape)"
                )
            layers.append({"class": type(item).__name__, "config": item.get_config()})
        return {"name": self.name, "layers": layers}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Model:
        """An untrained model of what `get_config` returned, with new initial weights.

        Raises:
            ValueError: it is damaged, or names a layer that there is not.
        """
        if "layers" not in config:
            return super().from_config(config, custom_objects)
        return cls([layer_from(item, custom_objects) for item in config["layers"]], name=str(config["name"]))

    @classmethod
    def _class_for(cls, core: _core.Model) -> type[Model]:
        return cls if is_chain(core) else Model  # an item of the Sequential was a model with branches

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the input: a copy that cannot be changed."""
        if not self._tails:
            items = [item.layers if isinstance(item, Model) else [item] for item in self._items]
            return Listed(layer for layers in items for layer in layers)
        if not self._items:
            return Listed()
        return Listed(layer for layer in super().layers if not isinstance(layer, InputLayer))
