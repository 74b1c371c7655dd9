"""A report on ONNX files: which operators are missing, how far outputs are from ONNX Runtime's, how long both take."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from striate._extras import require
from striate.onnx._files import onnx_package, read_model

WHAT = "striate.onnx.report"
SIDE = 224
"""Height and width of maps whose sizes a file leaves open; other sizes are 1."""
_ROUNDS = 3


class FileResult(NamedTuple):
    """What became of a file.

    Attributes:
        path: the file.
        operators: how many nodes of each operator it has.
        error: why it cannot be loaded, or an empty string.
        difference: the largest difference of an output from ONNX Runtime's, beside the output's largest element, but
            at least 0.01; None where there is nothing to compare.
        seconds: of one run: striate's and ONNX Runtime's, the best of a few; None where it was not run.
    """

    path: Path
    operators: Counter[str]
    error: str = ""
    difference: float | None = None
    seconds: tuple[float, float] | None = None


def onnx_files(places: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The `.onnx` files among these files and in these folders, with those below them."""
    found: list[Path] = []
    for place in map(Path, places):
        found.extend(sorted(place.rglob("*.onnx")) if place.is_dir() else [place])
    return found


def examine(paths: Iterable[Path], sides: Sequence[int] | None = None) -> Iterator[FileResult]:
    """Load each file, and compare it with ONNX Runtime, if that is installed.

    Args:
        paths: the files.
        sides: height and width of maps whose sizes a file leaves open; None for `SIDE`.
    """
    onnx = onnx_package(WHAT)
    for path in paths:
        try:
            proto = read_model(path, WHAT)
        except (ValueError, OSError) as error:
            yield FileResult(path, Counter(), str(error))
            continue
        yield _examined(onnx, path, proto, list(sides or (SIDE, SIDE)))


def _shapes(proto: Any, sides: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """A whole shape for each input."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    shapes = {}
    for info in proto.graph.input:
        if info.name in stored:
            continue
        sizes = [dim.dim_value if dim.dim_value > 0 else None for dim in info.type.tensor_type.shape.dim]
        if len(sizes) == 4:
            height = 1 if sizes[3] in (1, 3, 4) and sizes[1] not in (1, 3, 4) else 2
            for axis, side in zip((height, height + 1), sides, strict=True):
                sizes[axis] = sizes[axis] or side
        shapes[info.name] = tuple(size or 1 for size in sizes)
    return shapes


def _examined(onnx: Any, path: Path, proto: Any, sides: Sequence[int]) -> FileResult:
    from striate.onnx._importer import Importer

    operators = Counter(node.op_type for node in proto.graph.node if node.op_type != "Constant")
    shapes = _shapes(proto, sides)
    try:
        network = Importer(onnx, proto, f"'{path}'", shapes=shapes).run()
    except ValueError as error:
        return FileResult(path, operators, str(error))
    rng = np.random.default_rng(0)
    feeds = {}
    for port in network.inputs:
        values = rng.random(shapes[port.name])
        feeds[port.name] = (values * 255).astype(np.uint8) if port.dtype == np.uint8 else values.astype(np.float32)
    given = [np.ascontiguousarray(feeds[port.name].transpose(port.axes)) for port in network.inputs]
    arrays = given if len(given) > 1 else given[0]
    mine, ours = _timed(lambda: network.model.predict(arrays))
    try:
        runtime = require("onnxruntime", "test", WHAT)
    except ImportError:
        return FileResult(path, operators)
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    wants, theirs = _timed(lambda: session.run([port.name for port in network.outputs], feeds))
    difference = 0.0
    for port, got, want in zip(network.outputs, mine if isinstance(mine, list) else [mine], wants, strict=True):
        got = (got if port.batched else got[0]).transpose(np.argsort(port.axes))
        if got.shape != want.shape:
            return FileResult(path, operators, f"output {port.name!r} has shape {got.shape}, not {want.shape}")
        scale = max(float(np.abs(want).max(initial=0.0)), 0.01)
        difference = max(difference, float(np.abs(got - want).max(initial=0.0)) / scale)
    return FileResult(path, operators, "", difference, (ours, theirs))


def _timed(call: Any) -> tuple[Any, float]:
    """What a call returns, and the seconds that the quickest of a few takes."""
    result, best = call(), float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return result, best


def table(results: Iterable[FileResult]) -> Iterator[str]:
    """The results as lines."""
    yield f"{'file':<40}{'nodes':>7}{'difference':>12}{'striate':>11}{'ONNX Runtime':>14}"
    for result in results:
        name = result.path.name if len(result.path.name) < 40 else "…" + result.path.name[-38:]
        line = f"{name:<40}{sum(result.operators.values()):>7}"
        if result.difference is not None:
            line += f"{result.difference:>12.1e}"
        if result.seconds is not None:
            line += f"{1e3 * result.seconds[0]:>8.2f} ms{1e3 * result.seconds[1]:>11.2f} ms"
        yield line
        counts = ", ".join(f"{kind} {count}" for kind, count in result.operators.most_common())
        yield f"    {counts}"
        for problem in result.error.splitlines():
            yield f"    {problem}"
