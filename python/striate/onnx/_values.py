"""A tensor of an ONNX graph while it becomes a network: which symbol holds it, and the order of its axes there.

ONNX's maps are (N, C, H, W), striate's (N, H, W, C). Nothing is moved for that: a `Value` knows for each axis of the
ONNX tensor the *atoms* that it is made of, and in which order the symbol stores the atoms. So Transpose, Flatten and
most Reshapes change the description alone, a dense layer behind a Flatten has its weights' rows permuted instead of its
input, and a `Permute` is only laid where a layer asks for an order that the memory has not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import layers
from striate.layers import Symbol
from striate.onnx._budget import Unsupported as Unsupported
from striate.onnx._budget import check_size as check_size

Array = NDArray[Any]


class Atom:
    """A part of an axis that stays together in memory; of more than one element."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size

    def __repr__(self) -> str:
        return f"Atom({self.size})"


Axis = tuple[Atom, ...]  # of size 1 when empty


def axis_of(size: int) -> Axis:
    """An axis of one new atom."""
    return () if size == 1 else (Atom(size),)


def size_of(axis: Iterable[Atom]) -> int:
    """The elements along these atoms."""
    return math.prod(atom.size for atom in axis)


def joined(axes: Iterable[Iterable[Atom]]) -> Axis:
    """All atoms of several axes, in their order."""
    return tuple(atom for axis in axes for atom in axis)


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        symbol: what computes it; a sample of any shape that has the atoms in `order`.
        axes: axes of the ONNX tensor; without the batch where there is one.
        order: all atoms as they follow each other in a sample.
        batch: the batch's size as the ONNX model states it, or None where axis 0 is like any other: the tensor then
            is one sample.
        exact: whether the elements are bytes, which layers compute with as if they were floats.
        at: which axis of the ONNX tensor is the batch, where there is one.
        whole: whether the elements are whole numbers for certain, such as places and what is true.
    """

    symbol: Symbol
    axes: tuple[Axis, ...]
    order: Axis
    batch: int | None
    exact: bool = False
    at: int = 0
    whole: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """As ONNX has it."""
        sample = tuple(size_of(axis) for axis in self.axes)
        return sample if self.batch is None else (*sample[: self.at], self.batch, *sample[self.at :])

    @property
    def rank(self) -> int:
        return len(self.axes) + (self.batch is not None)

    def place(self, axis: int) -> int:
        """Where among `axes` an axis of the ONNX tensor is.

        Raises:
            Unsupported: there is none, or it is the batch.
        """
        if not -self.rank <= axis < self.rank:
            raise Unsupported(f"axis {axis} of a tensor of shape {self.shape}")
        axis %= self.rank
        if self.batch is None:
            return axis
        if axis == self.at:
            raise Unsupported("it works along the batch, whose size is not fixed")
        return axis - (axis > self.at)

    def like(self, symbol: Symbol) -> Value:
        """Other elements in the same places."""
        return replace(self, symbol=symbol, exact=False, whole=False)

    def as_whole(self) -> Value:
        """The value, whose elements are whole numbers."""
        return replace(self, whole=True)

    def with_axes(self, axes: Sequence[Axis]) -> Value:
        """The same elements, seen along other axes."""
        return replace(self, axes=tuple(axes))


def stored_as(value: Value, order: Axis) -> Value:
    """The value with its atoms in this order in memory."""
    if order == value.order:
        return value
    assert set(order) == set(value.order)
    follows = dict(zip(value.order, value.order[1:], strict=False))
    blocks: list[list[Atom]] = []
    for atom in order:
        if blocks and follows.get(blocks[-1][-1]) is atom:
            blocks[-1].append(atom)
        else:
            blocks.append([atom])
    there = sorted(blocks, key=lambda block: value.order.index(block[0]))
    symbol = reshaped(value.symbol, [size_of(block) for block in there])
    dims = [there.index(block) + 1 for block in blocks]
    return replace(value, symbol=layers.Permute(dims)(symbol), order=order)


def reshaped(symbol: Symbol, sizes: Sequence[int]) -> Symbol:
    """The symbol with samples of this shape."""
    wanted = tuple(sizes) or (1,)
    return symbol if symbol.shape[1:] == wanted else layers.Reshape(wanted)(symbol)


def as_samples(value: Value, groups: Sequence[Sequence[Atom]]) -> Symbol:
    """A symbol whose sample has one axis for each of these groups of atoms; together they are all atoms."""
    return reshaped(stored_as(value, joined(groups)).symbol, [size_of(group) for group in groups])


def in_order(value: Value, atoms: Iterable[Atom]) -> Axis:
    """Some of the value's atoms in the order in which it stores them."""
    chosen = set(atoms)
    return tuple(atom for atom in value.order if atom in chosen)


def others(value: Value, atoms: Iterable[Atom]) -> Axis:
    """The value's other atoms in the order in which it stores them."""
    chosen = set(atoms)
    return tuple(atom for atom in value.order if atom not in chosen)


def plain(value: Value) -> Value:
    """The value stored as ONNX stores it, each axis being one atom at most."""
    value = stored_as(value, joined(value.axes))
    axes = tuple(axis_of(size_of(axis)) for axis in value.axes)
    return replace(value, axes=axes, order=joined(axes))


def replaced(value: Value, old: Axis, new: Axis) -> Value:
    """The value with a run of atoms of one axis cut otherwise: `new` are as many elements as `old`."""

    def change(atoms: Axis) -> Axis:
        if not old:
            return atoms
        for start in range(len(atoms) - len(old) + 1):
            if atoms[start : start + len(old)] == old:
                return atoms[:start] + new + atoms[start + len(old) :]
        return atoms

    return replace(value, axes=tuple(change(axis) for axis in value.axes), order=change(value.order))


def split(value: Value, atom: Atom, first: int) -> tuple[Value, Axis]:
    """The value with an atom cut into `first` times the rest, and the two."""
    parts = (Atom(first), Atom(atom.size // first))
    return replaced(value, (atom,), parts), parts


def cut(value: Value, sizes: Sequence[int]) -> Value:
    """The same elements along axes of other sizes, as Reshape has them.

    Where the sizes cut across the atoms, the elements are first brought into ONNX's order.
    """
    if any(size < 1 for size in sizes) or math.prod(sizes) != size_of(value.order):
        raise Unsupported(f"it reshapes {value.shape} to {tuple(sizes)}")
    attempt, rest, axes = value, list(joined(value.axes)), []
    for size in sizes:
        axis: list[Atom] = []
        while size > 1:
            atom = rest.pop(0)
            if size % atom.size == 0:
                axis.append(atom)
                size //= atom.size
            elif atom.size % size == 0:
                attempt, (head, tail) = split(attempt, atom, size)
                axis.append(head)
                rest.insert(0, tail)
                size = 1
            else:
                whole = stored_as(value, joined(value.axes))
                new = tuple(axis_of(n) for n in sizes)
                return replace(whole, axes=new, order=joined(new))
        axes.append(tuple(axis))
    return attempt.with_axes(axes)


def laid(array: Array, axes: Sequence[Axis], order: Axis) -> Array:
    """A constant along these axes (their sizes, or 1) in the memory order of the atoms `order`; flat.

    Axes along which it has size 1 are repeated.
    """
    sizes = [size_of(axis) for axis in axes]
    check_size(math.prod(sizes), "a constant")
    whole = np.broadcast_to(array.reshape((1,) * (len(sizes) - array.ndim) + array.shape), sizes)
    atoms = joined(axes)
    apart: Array = whole.reshape([atom.size for atom in atoms])
    turned: Array = apart.transpose([atoms.index(atom) for atom in order])
    return turned.reshape(-1)


def unified(a: Value, b: Value) -> tuple[Value, Value]:
    """Both values, of equal rank, with the same atoms on each axis where both have the same size above 1."""
    if a.axes == b.axes:
        return a, b
    new = {atom: Atom(atom.size) for atom in b.order}
    renamed = [tuple(new[atom] for atom in axis) for axis in (*b.axes, b.order)]
    b = replace(b, axes=tuple(renamed[:-1]), order=renamed[-1])
    for place in range(len(a.axes)):
        if size_of(a.axes[place]) == 1 or size_of(b.axes[place]) == 1:
            continue
        i = 0
        while i < len(a.axes[place]):
            mine, theirs = a.axes[place][i], b.axes[place][i]
            if mine.size != theirs.size:
                small = math.gcd(mine.size, theirs.size)
                if small not in (mine.size, theirs.size):
                    return unified(plain(a), plain(b))
                if mine.size > small:
                    a, (mine, _) = split(a, mine, small)
                else:
                    b, (theirs, _) = split(b, theirs, small)
            if mine is not theirs:
                b = replaced(b, (theirs,), (mine,))
            i += 1
    return a, b


def spread(value: Value, missing: Axis, order: Axis) -> Value:
    """The value repeated along atoms that it has not, and stored in this order, which has all."""
    value = stored_as(value, tuple(atom for atom in order if atom not in set(missing)))
    have = list(value.order)
    for start, atom in enumerate(order):
        if atom in have:
            continue
        run = [atom]
        for following in order[start + 1 :]:
            if following in have or following not in set(missing):
                break
            run.append(following)
        before, after = have[:start], have[start:]
        symbol = reshaped(value.symbol, [size_of(before), 1, size_of(after)])
        symbol = layers.UpSampling2D((1, size_of(run)))(symbol)
        have[start:start] = run
        value = replace(value, symbol=symbol, order=tuple(have))
    return value
