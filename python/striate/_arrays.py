"""From the arrays that users pass to those that the core takes: the only place where arrays are converted.

Arrays are NumPy's, or any other library's that shares its memory: by DLPack (PyTorch, JAX, the array API), by Python's
buffer protocol (`memoryview`, `array.array`), or by NumPy's `__array__`. The core takes C-contiguous float32, uint8,
int32 and int64. Arrays of these types and order, read-only or not, are used without a copy; all others are
converted once, before the first batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._batches import check_no_batches

AnyArray = NDArray[Any]
FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
_INPUT_DTYPES = (np.dtype(np.float32), np.dtype(np.uint8))


def array_of(value: Any, what: str) -> AnyArray:
    """`value` as an array in its own type, of the same memory if it has one in reach; numbers and lists make a new one.

    Raises:
        TypeError: it is another library's array that NumPy cannot read: on a GPU, with a gradient, sparse; or it is an
            iterable of batches; or it is a masked array with masked values.
        ValueError: it is a list of rows of different lengths.
    """
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
            raise TypeError(
                f"{what} is a masked array with {np.count_nonzero(value.mask)} masked values, which cannot be left "
                f"out; pass {what}.filled(value), and a sample_weight of 0 for what is not to count"
            )
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        try:
            return np.from_dlpack(value)
        except (AttributeError, BufferError, RuntimeError, TypeError, ValueError) as error:
            return _without_dlpack(value, what, error)
    check_no_batches(value, what)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what} is not an array: its rows differ in shape ({error})") from None


def _without_dlpack(value: Any, what: str, refusal: Exception) -> AnyArray:
    """By `__array__` or the buffer protocol, what DLPack refuses: other byte orders, read-only in old versions."""
    try:
        array = np.asarray(value)
        if array.dtype.kind != "O":
            return array
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        refusal = error
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    traits = "".join(f", {name} {getattr(value, name)}" for name in ("dtype", "device") if hasattr(value, name))
    raise TypeError(
        f"{what} is a {kind}{traits} that cannot be read in place ({refusal}); pass it dense, in main memory, without "
        "gradient, as float32 or uint8"
    ) from refusal


def numbers(value: Any, what: str) -> AnyArray:
    """`value` as an array of numbers, in its own type.

    Raises:
        TypeError: it holds no real numbers.
        ValueError: it is a single number, or a list of rows of different lengths.
    """
    if value is None:
        raise TypeError(f"{what} must be an array, got None")
    array = array_of(value, what)
    if array.dtype.kind not in "fiub":
        fix = (
            "; number class names with numpy.unique(names, return_inverse=True)[1], read image files with "
            "striate.data.read_image"
        )
        shown = fix if array.dtype.kind in "US" else ""
        raise TypeError(f"{what} must hold real numbers, got dtype {array.dtype}{shown}")
    if array.ndim == 0:
        raise ValueError(f"{what} must be an array with the batch first, got the single number {array}")
    return array


def beyond_int64(array: AnyArray) -> bool:
    """Whether it holds integers of 2**63 or more, which the core's integers cannot hold."""
    return array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size > 0 and int(array.max()) >= 2**63


def for_core(array: AnyArray) -> AnyArray:
    """The same values as float32, or as the integers of 8 (unsigned), 32 or 64 bits that they are."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        array = array.view(np.uint8)
    elif kind == "f":
        array = _as_float32(array)
    elif beyond_int64(array):
        array = _as_float32(array)
    elif (kind, size) not in (("u", 1), ("i", 4), ("i", 8)):
        array = array.astype(np.int32 if size < 4 else np.int64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.require(array, requirements=["C", "A"])


def as_float32(array: AnyArray) -> FloatArray:
    """The same values as contiguous float32."""
    return np.require(_as_float32(array), requirements=["C", "A"])


def _as_float32(array: AnyArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what float32 cannot hold becomes infinite, as it should
        return array.astype(np.float32, copy=False)


def is_input(x: Any, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether the core can use `x` unchanged as the only input of a model."""
    if type(x) is not np.ndarray or len(shapes) != 1:
        return False
    return x.shape[1:] == shapes[0] and x.dtype in _INPUT_DTYPES and x.flags.carray


def inputs_for(x: Any, shapes: Sequence[tuple[int, ...]], names: Sequence[str], what: str = "x") -> list[AnyArray]:
    """The arrays of a model's inputs: from one array, or a list or a dict (by the inputs' names) of several."""
    given = several(x, names, what)
    return [_input(item, shape, name, what) for item, shape, name in zip(given, shapes, names, strict=True)]


def several(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """One value for each name: from one value, or a list or a dict of several."""
    if isinstance(value, Mapping):
        missing = [name for name in names if name not in value]
        unknown = [str(name) for name in value if name not in names]
        if missing or unknown:
            raise ValueError(f"{what} must have the keys {list(names)}, got {[str(name) for name in value]}")
        return [value[name] for name in names]
    if len(names) == 1:
        single = isinstance(value, (list, tuple)) and len(value) == 1 and is_array(value[0])
        return [value[0] if single else value]
    if not isinstance(value, (list, tuple)):
        raise TypeError(
            f"{what} must be a list of {len(names)} arrays ({', '.join(names)}), got {type(value).__name__}"
        )
    if len(value) != len(names):
        raise ValueError(f"{what} must be a list of {len(names)} arrays ({', '.join(names)}), got {len(value)}")
    return list(value)


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "__dlpack__") or isinstance(value, memoryview)


def _input(value: Any, shape: tuple[int, ...], name: str, what: str) -> AnyArray:
    array = for_core(with_last_axis(numbers(value, what), shape))
    if array.ndim == 4 and array.shape[1:] != shape and (*array.shape[2:], array.shape[1]) == shape:
        raise ValueError(
            f"{what}: [{name}] expects (N, {', '.join(map(str, shape))}), got {array.shape}: the channels come last; "
            "move them there: np.moveaxis(x, 1, -1)"
        )
    # What else there may be wrong with the shape, the core says.
    return array if array.dtype in _INPUT_DTYPES else as_float32(array)


def with_last_axis(array: AnyArray, shape: tuple[int, ...]) -> AnyArray:
    """The array with a last axis of 1 added or taken away where that makes it (N, *shape)."""
    if array.shape[1:] != shape:
        if (*array.shape[1:], 1) == shape:
            return array[..., np.newaxis]
        if array.shape[1:] == (*shape, 1):
            return array[..., 0]
    return array


def labels_for(array: AnyArray, owner: str) -> AnyArray:
    """Class labels as integers of the core; floats must be whole."""
    if beyond_int64(array):
        raise ValueError(f"[{owner}] expects class labels below 2**63, got {array.max()}")
    if array.dtype.kind != "f":
        return for_core(array)
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64)
    if (wrong := whole != array).any():
        raise ValueError(f"[{owner}] expects class labels, whole numbers, got {array[wrong][0]}")
    return whole


def weights_for(value: Any, rows: int) -> FloatArray:
    """Sample weights as float32: (N,), or with further axes of the targets."""
    array = numbers(value, "sample_weight")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if len(array) != rows:
        raise ValueError(f"sample_weight has {len(array)} rows, x has {rows}")
    return as_float32(array)


def class_weights_for(class_weight: Mapping[int, float], target: AnyArray, classes: int) -> FloatArray:
    """The weight of each sample (or pixel) by its class: of labels, or of one-hot rows over `classes`."""
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "class_weight must be a dict of class number and weight, such as {0: 1.0, 1: 2.5}, got "
            f"{type(class_weight).__name__}"
        )
    one_hot = classes > 1 and target.ndim > 1 and target.shape[-1] == classes
    if one_hot:
        sums = target.sum(axis=-1, dtype=np.float64)
        if not np.allclose(sums, 1.0, rtol=0.0, atol=1e-3):
            raise ValueError(
                "class_weight needs one class for each item, but y has the shape of the output and a row of it sums to "
                f"{sums.flat[np.abs(sums - 1.0).argmax()]:g}; pass sample_weight"
            )
    labels = target.argmax(axis=-1) if one_hot else target
    if not one_hot and labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.dtype.kind == "f":
        labels = labels_for(labels, "class_weight")
    weights = np.ones(labels.shape, np.float32)
    for key, weight in class_weight.items():
        if isinstance(key, bool) or not hasattr(key, "__index__"):
            raise TypeError(f"class_weight must have class numbers as keys, got {key!r}")
        if not (isinstance(weight, (int, float, np.number)) and np.isfinite(weight) and weight >= 0):
            raise ValueError(f"class_weight must be finite numbers of at least 0, got {weight!r} for class {key}")
        if not 0 <= key < max(classes, 2):
            raise ValueError(f"class_weight names class {key}, but the classes are 0 to {max(classes, 2) - 1}")
        weights[labels == key] = weight
    return weights
