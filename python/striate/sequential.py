"""Networks whose layers follow one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from striate import _core
from striate._arrays import numbers
from striate._checks import chosen
from striate._keras_names import Listed
from striate._sharing import building
from striate.layers._base import Layer, Symbol
from striate.layers.core import Input, InputLayer
from striate.model import Model


class Sequential(Model):
    """A network whose layers follow one another.

    Args:
        layers: in order, beginning with `Input(shape)`. Without one, the input's shape is taken from the first data.
        name: for the summary.
        seed, fusion, winograd: as for `Model`.

    Raises:
        ValueError: a layer does not fit the output of the one before it.
        TypeError: something else than a layer is given.
    """

    def __init__(
        self,
        layers: Sequence[Layer | Symbol | Model] | None = None,
        *,
        name: str | None = None,
        seed: int | None = None,
        fusion: bool | None = None,
        winograd: bool | None = None,
    ) -> None:
        self._begin(name or "sequential", seed)
        self._choose(**chosen(fusion=fusion, winograd=winograd))
        self._items: list[Layer | Model] = []
        self._tails: list[Symbol] = []  # the input's, then the output of each item; empty as long as there is no input
        for layer in layers or ():
            self.add(layer)
        if self._items and self._tails:
            self._build()

    @classmethod
    def _of_core(cls, core: _core.Model, name: str) -> Model:
        model = super()._of_core(core, name)
        assert isinstance(model, Sequential)
        layers = [layer for layer in model._layers if not isinstance(layer, InputLayer)]
        model._items = list(layers)
        model._tails = [model._inputs[0], *(layer.output for layer in layers)]
        return model

    def add(self, layer: Layer | Symbol | Model) -> None:
        """Put a layer at the end. What was trained stays; `compile` is not needed again.

        Raises:
            ValueError: it does not fit the output of the layer before it.
            TypeError: it is no layer.
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
            raise TypeError(f"Sequential takes layers, got {type(layer).__name__}")
        if any(item is layer for item in self._items):
            raise ValueError(
                f"[{layer.name}] is in the Sequential already; make a new layer, or use Model to share one"
            )
        if isinstance(layer, Model) and not self._items and not self._tails:
            self._set_input(Input(layer.input_shape[1:]))
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
        """Take the last layer away.

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
        symbol = Input(numbers(x, what).shape[1:])
        tails = [symbol]
        for item in self._items:
            tails.append(self._after(tails[-1], item))
        self._tails = tails

    def __reduce__(self) -> Any:
        if self._is_built():
            return super().__reduce__()
        from striate._pickling import unbuilt_of, unbuilt_state

        return unbuilt_of, (type(self), unbuilt_state(self))

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the input: a copy, which refuses to be changed."""
        if not self._tails:
            items = [item.layers if isinstance(item, Model) else [item] for item in self._items]
            return Listed(layer for layers in items for layer in layers)
        if not self._items:
            return Listed()
        return Listed(layer for layer in super().layers if not isinstance(layer, InputLayer))
