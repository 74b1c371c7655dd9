"""Objects that give their values piece by piece: generators, sequences of batches, loaders.

`striate._sources` has those that are read. They are refused where an array is expected. NumPy would ask such an object
for one item after the other until an IndexError comes, which a sequence of batches need not raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

_FOR_BATCHES = {
    "fit": "if its items are batches (x, y), pass it as x alone",
    "evaluate": "if its items are batches (x, y), pass it as x alone",
    "predict": "if its items are batches, pass it as it is, not in a list",
}
_NUMBERS_OR_TEXT = (int, float, complex, str, bytes, type(None))
_LISTS = (list, tuple, range, deque)


def check_no_batches(value: Any, what: str) -> None:
    """Check that NumPy can convert `value` to an array in one step.

    Raises:
        TypeError: it is an iterable that is neither an array nor a list of arrays, numbers or lists.
    """
    if isinstance(value, (list, tuple)):
        for kind in set(map(type, value)):  # one look at each type: a list may hold millions of numbers
            if issubclass(kind, _NUMBERS_OR_TEXT):
                continue
            for item in value:
                if type(item) is kind:
                    check_no_batches(item, what)
                    if not issubclass(kind, (list, tuple)):
                        break
    elif gives_batches(value):
        raise TypeError(batches_refused(value, what))


def gives_batches(value: Any) -> bool:
    """Whether `value` is an iterable of something, and no array, list, number or text."""
    if isinstance(value, (*_NUMBERS_OR_TEXT, *_LISTS)) or is_array_like(value):
        return False
    return hasattr(value, "__iter__") or hasattr(value, "__next__") or hasattr(value, "__getitem__")


def is_batch(value: Any) -> bool:
    """Whether the value is a batch as loaders give them: (x, y) or (x, y, sample_weight)."""
    return isinstance(value, (list, tuple)) and len(value) in (2, 3) and all(map(is_array_like, value))


def is_array_like(value: Any) -> bool:
    """Whether NumPy can read the object's memory, or the object converts itself to an array."""
    if any(hasattr(value, name) for name in ("__array__", "__array_interface__", "__array_struct__", "__dlpack__")):
        return True
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def batches_refused(value: Any, what: str) -> str:
    """The error message for an iterable where an array is expected; `what` is such as "fit: x"."""
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return f"{what} must be an array, got {kind} with the keys {[str(key) for key in value][:10]}"
    if hasattr(value, "toarray"):
        return f"{what} must be an array, got the sparse {kind}; convert it with toarray()"
    call = what.partition(":")[0]
    article = "an" if kind[0] in "aeiouAEIOU" else "a"
    message = f"{what} must be an array (N, ...), got {article} {kind}, which gives its values piece by piece; "
    return message + _FOR_BATCHES.get(call, "convert it first, for example np.stack(list(values))")
