"""`python -m striate.onnx.report`: what ONNX's own tests of operators and networks say of striate's backend, or, with
files or folders, what striate makes of these files.

Each test is a model with inputs and outputs that come with the onnx package; its bounds are the test's own. A test
passes, fails (an output differs), or is skipped with striate's reason for not having layers for it.
"""

from __future__ import annotations

import glob
import importlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate._extras import require
from striate.onnx._file_report import examine, onnx_files, table
from striate.onnx._files import onnx_package

OPERATORS = (
    *("Conv", "ConvTranspose", "BatchNormalization", "MaxPool", "AveragePool", "GlobalAveragePool", "Gemm", "Relu"),
    *("Sigmoid", "Softmax", "Flatten", "Concat", "Resize"),
)
"""The operators whose node tests are reported unless others are named."""
KINDS = ("pytorch-converted", "pytorch-operator", "simple", "light")

_CORNERS = "align_corners maps the last pixel to the last one, as in ONNX Runtime and PyTorch"
DEVIATIONS = {
    "test_resize_downsample_scales_cubic_align_corners": _CORNERS,
    "test_resize_downsample_scales_linear_align_corners": _CORNERS,
}
"""Tests that ONNX Runtime does not pass either, and how striate differs."""


@dataclass(frozen=True)
class Case:
    """A test of the onnx package.

    Attributes:
        group: the operator, or the kind of the network.
        name: as onnx has it.
        model: the ModelProto.
        data: inputs and outputs, once or several times.
        rtol: relative tolerance of the outputs.
        atol: absolute tolerance of the outputs.
    """

    group: str
    name: str
    model: Any
    data: list[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Result:
    """What became of a test: "passed", "failed" or "skipped", and why."""

    case: Case
    outcome: str
    reason: str = ""


def node_cases(operators: Sequence[str] = OPERATORS) -> list[Case]:
    """onnx's tests of single operators, those of their expansions into others left out."""
    what = "striate.onnx.report"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = require("onnx.backend.test.case.node", "onnx", what)
        # Importing the module of an operator makes its tests; all of them take a minute.
        for operator in operators:
            snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operator).lower()
            for name in {operator.lower(), snake}:
                if importlib.util.find_spec(f"{node.__name__}.{name}"):
                    importlib.import_module(f"{node.__name__}.{name}")
        made = list(node._NodeTestCases)
    found = []
    for case in made:
        kinds = {part.op_type for part in case.model.graph.node}
        if len(kinds) == 1 and kinds <= set(operators) and "_expanded" not in case.name:
            found.append(Case(kinds.pop(), case.name, case.model, list(case.data_sets), case.rtol, case.atol))
    return sorted(found, key=lambda case: (list(operators).index(case.group), case.name))


def network_cases(kinds: Iterable[str] = KINDS) -> Iterator[Case]:
    """onnx's tests of networks that are in its package; "light" are well-known networks with made-up weights."""
    onnx = onnx_package("striate.onnx.report")
    loader = require("onnx.backend.test.loader", "onnx", "striate.onnx.report")
    for kind in kinds:
        if kind == "light":
            yield from _light(onnx, os.path.join(loader.DATA_DIR, kind))
            continue
        for test in sorted(loader.load_model_tests(kind=kind), key=lambda test: str(test.name)):
            model = onnx.load(os.path.join(test.model_dir, "model.onnx"))
            data = []
            for folder in sorted(glob.glob(os.path.join(test.model_dir, "test_data_set_*"))):
                sides = []
                for side, infos in (("input", model.graph.input), ("output", model.graph.output)):
                    count = len(glob.glob(os.path.join(folder, f"{side}_*.pb")))
                    files = [os.path.join(folder, f"{side}_{i}.pb") for i in range(count)]
                    sides.append([_read(onnx, *pair) for pair in zip(files, infos, strict=False)])
                data.append((sides[0], sides[1]))
            yield Case(kind, test.name, model, data, test.rtol, test.atol)


def _light(onnx: Any, folder: str) -> Iterator[Case]:
    for path in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        model = onnx.load(path)
        initialized = {tensor.name for tensor in model.graph.initializer}
        infos = [info for info in model.graph.input if info.name not in initialized]
        # As onnx's own runner makes their inputs: multiples of 1 / size.
        inputs = []
        for info in infos:
            shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
            size = int(np.prod(shape))
            inputs.append((np.arange(size).reshape(shape) / np.float32(size)).astype(np.float32))
        outputs = [_read(onnx, path[: -len(".onnx")] + "_output_0.pb", model.graph.output[0])]
        yield Case("light", os.path.basename(path)[: -len(".onnx")], model, [(inputs, outputs)], 1e-3, 1e-7)


def _read(onnx: Any, path: str, info: Any) -> Any:
    """An array, or None for what is none."""
    if not info.type.HasField("tensor_type"):
        return None
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return onnx.numpy_helper.to_array(tensor)


def run(case: Case) -> Result:
    """Run one test."""
    from striate.onnx.backend import Backend

    onnx = onnx_package("striate.onnx.report")
    try:
        prepared = Backend.prepare(case.model, max_constants=1 << 28)  # weights made of one number
        results = []
        for inputs, _ in case.data:
            arrays = [onnx.numpy_helper.to_array(a) if isinstance(a, onnx.TensorProto) else a for a in inputs]
            results.append(prepared.run(arrays))
    except ValueError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        return Result(case, "skipped", "; ".join(lines[1:] or lines))
    reason = _difference(onnx, case, results)
    if not reason:
        return Result(case, "passed")
    known = DEVIATIONS.get(case.name)
    return Result(case, "skipped", known) if known else Result(case, "failed", reason)


def _difference(onnx: Any, case: Case, results: list[tuple[Any, ...]]) -> str:
    """How the outputs differ from those that the test states; "" if they do not."""
    for outputs, (_, wanted) in zip(results, case.data, strict=True):
        if len(outputs) != len(wanted):
            return f"{len(outputs)} outputs, not {len(wanted)}"
        for got, want in zip(outputs, wanted, strict=True):
            want = onnx.numpy_helper.to_array(want) if isinstance(want, onnx.TensorProto) else np.asarray(want)
            if got.shape != want.shape or got.dtype != want.dtype:
                return f"{got.dtype} {got.shape}, not {want.dtype} {want.shape}"
            if not np.allclose(got, want, rtol=case.rtol, atol=case.atol, equal_nan=True):
                return f"differs by up to {np.abs(got - want).max():.2g}"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table.

    Args:
        arguments: operators, kinds of networks, or `all` for every operator that striate reads; or `.onnx` files and
            folders with such files: for each file its operators, what is missing, the largest difference of an output
            from ONNX Runtime's beside the output's largest element, and the time of one run of both.

    Returns:
        0; 1 if a test failed or a file cannot be loaded; 2 for arguments that do not fit.
    """
    import striate.onnx._importer  # noqa: F401  (it fills the table)
    from striate.onnx._call import CONVERTERS

    chosen = list(sys.argv[1:] if arguments is None else arguments) or [*OPERATORS, *KINDS]
    if all(os.path.exists(name) for name in chosen):
        results_of_files = list(examine(onnx_files(chosen)))
        print("\n".join(table(results_of_files)))
        return int(any(result.error for result in results_of_files))
    if "all" in chosen:
        chosen = [*CONVERTERS, *KINDS]
    unknown = [name for name in chosen if name not in CONVERTERS and name not in KINDS]
    if unknown:
        print(f"striate.onnx.report: there is no operator, kind, file or folder {unknown[0]!r}", file=sys.stderr)
        return 2
    operators = [name for name in chosen if name not in KINDS]
    results = [run(case) for case in node_cases(operators)] if operators else []
    counted = [_counts(results, f"{len(operators)} operators")] if len(operators) > 1 else []
    results += [run(case) for case in network_cases([name for name in chosen if name in KINDS])]
    print(f"{'':<24}{'tests':>7}{'passed':>8}{'failed':>8}{'skipped':>9}")
    for group in dict.fromkeys(result.case.group for result in results):
        print(_counts([result for result in results if result.case.group == group], group))
    for line in counted:
        print(line)
    for outcome in ("failed", "skipped"):
        rest = [result for result in results if result.outcome == outcome]
        if rest:
            print(f"\n{outcome}:")
        for result in rest:
            print(f"  {result.case.group}: {result.case.name}: {result.reason}")
    return int(any(result.outcome == "failed" for result in results))


def _counts(results: Sequence[Result], label: str) -> str:
    number = {outcome: sum(r.outcome == outcome for r in results) for outcome in ("passed", "failed", "skipped")}
    return f"{label:<24}{len(results):>7}{number['passed']:>8}{number['failed']:>8}{number['skipped']:>9}"


if __name__ == "__main__":
    sys.exit(main())
