"""Layers of several models that Keras would share and that are copies here: refused where a copy would show.

A layer that is used for a second model is copied with its weights. Copies of one layer are kin. As long as nobody
changes the weights or `trainable` of one of them, copies and a shared layer are the same. After a change, the last one
that was written is what a shared layer would be: models with older copies refuse to compute. For that, each layer of a
family has a stamp for its last change of weights and one for the last setting of `trainable`.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from striate import _core

if TYPE_CHECKING:
    from striate.layers import Layer

_stamps = count(1)
families = 0
"""How often families grew or moved to other networks; 0 as long as no layer was copied."""


class Kin:
    """What a layer knows of its copies."""

    def __init__(self, layer: Layer) -> None:
        self.members: list[weakref.ref[Layer]] = [weakref.ref(layer)]
        self.digest = _digest(layer)
        self.version = _version(layer)  # of the model's weights, when the digest was made
        self.changed = self.switched = 0  # stamps

    def copy_for(self, layer: Layer) -> Kin:
        """For a copy, which has the same weights now."""
        kin = Kin.__new__(Kin)
        kin.members, kin.digest, kin.version = self.members, self.digest, _version(layer)
        kin.changed, kin.switched = self.changed, self.switched
        self.members.append(weakref.ref(layer))
        return kin

    def observe(self, layer: Layer) -> None:
        """Look whether the weights changed."""
        version = _version(layer)
        if version != self.version:
            digest = _digest(layer)
            if digest != self.digest:
                self.digest, self.changed = digest, next(_stamps)
            self.version = version


class Related(NamedTuple):
    """What a model remembers between two checks."""

    families: int
    layers: list[Layer]  # of the model, those that have kin with weights
    others: list[_core.Model]
    versions: list[int]


def join_family(layer: Layer, source: Layer) -> None:
    """Note that `layer` was made as a copy of `source`, weights included."""
    global families
    families += 1
    if source._kin is None:
        source._kin = Kin(source)
    source._kin.observe(source)
    layer._kin = source._kin.copy_for(layer)


def latest(layer: Layer) -> tuple[Layer, bool]:
    """The member of a layer's family with the weights that were changed last, and `trainable` as it was set last."""
    if layer._kin is None:
        return layer, layer.trainable
    family = [(layer, layer._kin), *_others(layer)]
    for member, kin in family:
        kin.observe(member)
    weights = max(family, key=lambda one: one[1].changed)[0]
    return weights, max(family, key=lambda one: one[1].switched)[0].trainable


def wrote(layers: Sequence[Layer]) -> None:
    """Note that weights of these layers of one model were set."""
    for layer in layers:
        if layer._kin is not None and layer._owner is not None:
            for other, kin in _others(layer):
                kin.observe(other)
            layer._kin.observe(layer)


def moved(layer: Layer) -> None:
    """Note that a layer went over to another network."""
    global families
    if layer._kin is not None:
        families += 1
        layer._kin.version = 0  # of no network


def switched(layer: Layer) -> None:
    """Note that `trainable` was set."""
    if layer._kin is not None:
        layer._kin.switched = next(_stamps)


def check(layers: Sequence[Layer], known: Related | None, who: str) -> Related:
    """Check that no layer has a copy in another model whose weights were changed after this one's.

    Args:
        layers: the model's.
        known: what the last check returned.
        who: the call, for the message.

    Raises:
        ValueError: there is one.
    """
    if known is None or known.families != families:
        related = [layer for layer in layers if layer._kin is not None and layer._owner is not None]
        related = [layer for layer in related if layer._parameters()]
        others = list({id(other._owner): other._owner for layer in related for other, _ in _others(layer)}.values())
        known = Related(families, related, [core for core in others if core is not None], [])
    versions = [core.weights_version for core in known.others]
    if versions == known.versions:
        return known
    for layer in known.layers:
        assert layer._kin is not None
        for other, kin in _others(layer):
            kin.observe(other)
        layer._kin.observe(layer)
        for _, kin in _others(layer):
            if kin.changed > layer._kin.changed and kin.digest != layer._kin.digest:
                raise ValueError(
                    f"{who}: [{layer.name}] is a copy of a layer of another model whose weights were changed after the "
                    "copy was made. Models do not share weights. Build this model again to copy the weights as they "
                    "are now, or copy them with set_weights; use copy.deepcopy(model) first where the models are "
                    "meant to differ"
                )
    return known._replace(versions=versions)


def check_trainable(related: Related, who: str) -> None:
    """Check that `trainable` was not set later for a copy of a layer in another model.

    Raises:
        ValueError: it was, to the other value.
    """
    for layer in related.layers:
        assert layer._kin is not None
        for other, kin in _others(layer):
            if kin.switched > layer._kin.switched and other.trainable != layer.trainable:
                raise ValueError(
                    f"{who}: trainable was set to {other.trainable} for the layer that [{layer.name}] is a copy of, "
                    f"or for another copy, and is {layer.trainable} in this model. Models do not share layers. Set it "
                    f"here: model.get_layer({layer.name!r}).trainable = {other.trainable}"
                )


def _others(layer: Layer) -> Iterator[tuple[Layer, Kin]]:
    assert layer._kin is not None
    for reference in layer._kin.members:
        other = reference()
        if other is not None and other is not layer and other._kin is not None and other._owner is not layer._owner:
            yield other, other._kin


def _version(layer: Layer) -> int:
    return 0 if layer._owner is None else layer._owner.weights_version


def _digest(layer: Layer) -> int:
    if layer._owner is None:
        return 0
    value = 0
    for weight in layer._owner.values(layer._parameters()):
        value = zlib.crc32(weight.reshape(-1).data, value)
    return value
