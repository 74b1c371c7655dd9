"""Layers of several models that Keras would share and that are copies here: refused where a copy would show.

A layer that is used for a second model is copied with its weights. Copies of one layer are kin. As long as nobody
changes the weights or `trainable` of one of them, copies and a shared layer are the same. After a change, the last one
that was written is what a shared layer would be: models with older copies refuse to compute. For that, each layer of a
family has a stamp for its last change of weights and one for the last setting of `trainable`.

The family remembers the last change, also after the layer that was changed is gone: it then keeps that layer's weights,
for models that are built again. When a layer is freed makes no difference, therefore.
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from striate._arrays import FloatArray
    from striate.layers import Layer

_stamps = count(1)
_UNKNOWN = -1  # a digest that no weights have
families = 0
"""How often families grew or moved to other networks; 0 as long as no layer was copied."""


class Family:
    """What copies of one layer have in common."""

    def __init__(self) -> None:
        self.members: dict[int, Kin] = {}  # by identity; layers that are alive
        self.latest: Kin | None = None  # whose weights were changed last; it may be gone
        self.switched: Kin | None = None  # whose `trainable` was set last; it may be gone
        self.kept: list[FloatArray] | None = None  # the weights of `latest`, if it is gone

    def observe(self, last: Kin | None = None) -> None:
        """Look whether weights changed; those of `last` count as changed last."""
        for kin in list(self.members.values()):
            if kin is not last:
                kin.observe()
        if last is not None:
            last.observe()


class Kin:
    """What a layer knows of its copies."""

    def __init__(self, layer: Layer, family: Family, digest: int, changed: int = 0, switched: int = 0) -> None:
        self.family, self.digest, self.changed, self.switched = family, digest, changed, switched
        self.trainable = layer.trainable  # when it was set
        self.core, self.place = layer._owner, layer._place  # no network when the layer is gone
        self.version = self.now()  # of the network's weights, when the digest was made
        self._layer: weakref.ref[Layer] | None = weakref.ref(layer, self._gone)
        family.members[id(self)] = self

    def layer(self) -> Layer | None:
        """The layer, or None if it is gone."""
        return None if self._layer is None else self._layer()

    def now(self) -> int:
        """The version of the network's weights."""
        core = self.core
        return -1 if core is None else core.weights_version

    def values(self) -> list[FloatArray]:
        """Copies of the weights."""
        core = self.core
        return [] if core is None else core.values(list(range(*core.parameters_of(self.place))))

    def observe(self) -> None:
        """Look whether the weights changed."""
        version = self.now()
        if version not in (self.version, -1):
            digest = digest_of(self.values())
            if digest != self.digest:
                self.change(digest)
            self.version = version

    def change(self, digest: int) -> None:
        """Note that the weights are those of this digest from now on, in the whole family."""
        self.digest, self.changed = digest, next(_stamps)
        self.family.latest, self.family.kept = self, None

    def older(self) -> bool:
        """Whether the weights of a copy in another network were changed later, to others."""
        latest = self.family.latest
        if latest is None or (latest.core is not None and latest.core is self.core):
            return False
        return latest.changed > self.changed and latest.digest != self.digest

    def _gone(self, _: object) -> None:
        family = self.family
        self._layer = None
        family.members.pop(id(self), None)
        try:
            if family.members:
                self.observe()
                if family.latest is self:
                    self._hand_over()
        except BaseException:  # memory ran out: the weights are lost, and older copies stay refused
            self.change(_UNKNOWN)
            raise
        finally:
            self.core = None
            if not family.members:
                family.latest = family.switched = family.kept = None

    def _hand_over(self) -> None:
        """Leave the weights that were changed last to a copy that has the same, or to the family."""
        family = self.family
        family.observe()
        if family.latest is not self:
            return
        for kin in list(family.members.values()):
            if kin.digest == self.digest:
                kin.changed, family.latest = self.changed, kin
                return
        family.kept = self.values()


class Related(NamedTuple):
    """What a model remembers between two checks."""

    families: int
    layers: list[Layer]  # of the model, those that have kin with weights
    others: list[Kin]  # one of each other network
    versions: list[int]


class Source(NamedTuple):
    """Where a copy of a layer takes its weights from."""

    layer: Layer | None  # None: it is gone, and `kept` has its weights
    kin: Kin | None
    kept: list[FloatArray]
    trainable: bool


def join_family(layer: Layer, drawn: Layer, source: Source) -> None:
    """Note that `layer` was made as a copy of the layer `drawn`, with the weights of `source`."""
    global families
    families += 1
    if drawn._kin is None:
        drawn._kin = Kin(drawn, Family(), digest_of(_values(drawn)))
    kin = source.kin or drawn._kin
    kin.observe()
    family = kin.family
    switched = 0 if family.switched is None else family.switched.switched
    layer._kin = Kin(layer, family, kin.digest, kin.changed, switched)
    if kin.layer() is None and family.latest is kin:
        family.latest, family.kept = layer._kin, None


def latest(layer: Layer) -> Source:
    """The weights that were changed last in a layer's family, and `trainable` as it was set last."""
    if layer._kin is None:
        return Source(layer, None, [], layer.trainable)
    family = layer._kin.family
    family.observe()
    trainable = layer.trainable if family.switched is None else family.switched.trainable
    kin = layer._kin if family.latest is None else family.latest
    weights = kin.layer()
    if weights is None and family.kept is not None:
        return Source(None, kin, family.kept, trainable)
    if weights is None:  # lost
        weights, kin = layer, layer._kin
    return Source(weights, kin, [], trainable)


def wrote(layers: Sequence[Layer]) -> None:
    """Note that weights of these layers of one model were set: they count from now on, also if they are old ones."""
    for layer in layers:
        kin = layer._kin
        if kin is not None and layer._owner is not None:
            kin.family.observe(last=kin)
            if kin.older():
                kin.change(kin.digest)


def moved(layer: Layer) -> None:
    """Note that a layer went over to another network."""
    global families
    kin = layer._kin
    if kin is not None and kin.layer() is layer:
        families += 1
        kin.core, kin.place = layer._owner, layer._place
        kin.version = 0  # of no network


def switched(layer: Layer) -> None:
    """Note that `trainable` was set."""
    kin = layer._kin
    if kin is not None:
        kin.trainable, kin.switched = layer.trainable, next(_stamps)
        kin.family.switched = kin


def check(layers: Sequence[Layer], known: Related | None, who: str) -> Related:
    """Check that no layer has a copy in another model whose weights were changed after this one's.

    Args:
        layers: the model's.
        known: what the last check returned.
        who: the call, for the message.

    Raises:
        ValueError: there is one.
    """
    if known is not None and known.families == families:
        if [kin.now() for kin in known.others] == known.versions:
            return known
    seen = families
    related = [layer for layer in layers if layer._kin is not None and layer._owner is not None and layer._parameters()]
    others: dict[int, Kin] = {}
    for layer in related:
        assert layer._kin is not None
        for kin in list(layer._kin.family.members.values()):
            if kin.core is not layer._owner:
                others.setdefault(id(kin.core), kin)
    watched = list(others.values())
    versions = [kin.now() for kin in watched]
    for layer in related:
        assert layer._kin is not None
        layer._kin.family.observe(last=layer._kin)
        if layer._kin.older():
            raise ValueError(f"{who}: [{layer.name}] {_stale(layer._kin.family)}")
    return Related(seen, related, watched, versions)


def _stale(family: Family) -> str:
    stale = "is a copy of a layer of another model whose weights were changed after the copy was made"
    if family.latest is not None and family.latest.digest == _UNKNOWN:
        return f"{stale}. They are lost: memory ran out. Set the weights you want with set_weights or load_weights"
    return (
        f"{stale}. Models do not share weights. Build this model again to copy the weights as they are now, or set the "
        "weights you want with set_weights or load_weights. Where models are meant to differ, use copy.deepcopy(model) "
        "first, or build new layers for each model, such as for each fold of a cross-validation"
    )


def check_trainable(related: Related, who: str) -> None:
    """Check that `trainable` was not set later for a copy of a layer in another model.

    Raises:
        ValueError: it was, to the other value.
    """
    for layer in related.layers:
        kin = layer._kin
        assert kin is not None
        other = kin.family.switched
        if other is None or (other.core is not None and other.core is layer._owner):
            continue
        if other.switched > kin.switched and other.trainable != layer.trainable:
            raise ValueError(
                f"{who}: trainable was set to {other.trainable} for the layer that [{layer.name}] is a copy of, "
                f"or for another copy, and is {layer.trainable} in this model. Models do not share layers. Set it "
                f"here: model.get_layer({layer.name!r}).trainable = {other.trainable}"
            )


def digest_of(weights: Sequence[FloatArray]) -> int:
    """A number that differs where weights differ."""
    value = 0
    for weight in weights:
        value = zlib.crc32(weight.reshape(-1).data, value)
    return value


def _values(layer: Layer) -> list[FloatArray]:
    return [] if layer._owner is None else layer._owner.values(layer._parameters())
