"""Every operator with random attributes beside ONNX Runtime: the same numbers, or an error that names the node."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402
from striate.onnx.backend import Backend  # noqa: E402

FULL = bool(os.environ.get("FULL"))
SEED = int(os.environ.get("STRIATE_SEED", "0"), 16)
EMPTY = np.zeros(0)


class Draw:
    """A node with inputs; x is computed, all others are constants unless `second` names one."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.opset = 17
        self.shape: list[int] = [int(rng.integers(1, 3)), *(int(n) for n in rng.choice([1, 2, 3, 4, 6], 3))]
        self.constants: list[tuple[str, np.ndarray | None]] = []
        self.attributes: dict[str, Any] = {}
        self.outputs = 1
        self.first = False  # constants before x
        self.positive = False  # x
        self.second = False  # x given twice, the second time times a number
        self.scale = float(10.0 ** rng.integers(-1, 3))

    def up_to(self, most: int, least: int = 0) -> int:
        return int(self.rng.integers(least, most + 1))

    def one(self, *of: Any) -> Any:
        return of[self.up_to(len(of) - 1)]

    def maybe(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def normal(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)

    def given(self, name: str, array: Any, since: int = 0) -> None:
        """An input, or an attribute in versions before `since`; None for one that is left out."""
        if self.opset >= since:
            self.constants.append((name, None if array is None else np.asarray(array)))
        elif array is not None:
            self.attributes[name] = np.asarray(array).tolist()

    def axis(self, least: int = 1) -> int:
        axis = self.up_to(len(self.shape) - 1, least)
        return axis - len(self.shape) if self.maybe(0.3) else axis

    def model(self, kind: str) -> Any:
        names, nodes, constants = [], [], list(self.constants)
        for name, array in self.constants:
            names.append("" if array is None else name)
        while names and not names[-1]:
            names.pop()
        operands = [*names, "x"] if self.first else ["x", *names]
        if self.second:
            constants.append(("k", np.float32(self.one(-1, 1e-7))))
            nodes.append(helper.make_node("Mul", ["x", "k"], ["n"]))
            operands = ["x", "n"]
        outputs = [f"y{i}" for i in range(self.outputs)]
        nodes.append(helper.make_node(kind, operands, outputs, **self.attributes))
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", 1, self.shape)],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in constants if array is not None],
        )
        for info in graph.output:
            info.type.tensor_type.elem_type = 1
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        made = onnx.shape_inference.infer_shapes(made)
        for info in made.graph.output:
            if not info.type.tensor_type.HasField("shape"):
                info.CopyFrom(helper.make_tensor_value_info(info.name, 1, [None] * len(self.shape)))
        return made

    def windows(self, dilations: bool = True) -> int:
        """Kernel, strides, pads: for 1 or 2 axes."""
        rank = 1 if self.maybe(0.25) else 2
        self.shape = [self.up_to(2, 1), self.one(1, 2, 4), *(self.up_to(9, 2) for _ in range(rank))]
        numbers = [self.up_to(3, 1) for _ in range(rank)]
        self.attributes["kernel_shape"] = numbers
        if self.maybe(0.7):
            self.attributes["strides"] = [self.up_to(3, 1) for _ in range(rank)]
        if dilations and self.maybe(0.4):
            self.attributes["dilations"] = [self.up_to(2, 1) for _ in range(rank)]
        mode = self.one("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", None)
        if mode:
            self.attributes["auto_pad"] = mode
        if mode in ("NOTSET", None) and self.maybe(0.7):
            self.attributes["pads"] = [self.up_to(n - 1) for n in numbers * 2]
        return rank


CASES: dict[str, Callable[[Draw], None]] = {}


def case(*kinds: str) -> Callable[[Callable[[Draw], None]], Callable[[Draw], None]]:
    def put(draw: Callable[[Draw], None]) -> Callable[[Draw], None]:
        CASES.update(dict.fromkeys(kinds, draw))
        return draw

    return put


@case("Conv")
def conv(d: Draw) -> None:
    d.windows()
    group = d.one(1, 1, d.shape[1], 2 if d.shape[1] % 2 == 0 else 1)
    filters = group * d.up_to(2, 1)
    d.attributes["group"] = group
    d.given("w", d.normal(filters, d.shape[1] // group, *d.attributes["kernel_shape"]))
    d.given("b", d.normal(filters) if d.maybe() else None)
    if d.maybe(0.3):
        del d.attributes["kernel_shape"]


@case("ConvTranspose")
def conv_transpose(d: Draw) -> None:
    rank = d.windows()
    strides = d.attributes.get("strides", [1] * rank)
    group = d.one(1, 1, d.shape[1])
    d.attributes["group"] = group
    if d.maybe(0.3):
        d.attributes["output_padding"] = [d.up_to(s - 1) for s in strides]
    if d.maybe(0.3):
        d.attributes["output_shape"] = [n * s + d.up_to(1) for n, s in zip(d.shape[2:], strides, strict=True)]
        d.attributes.pop("pads", None)
    filters = d.up_to(2, 1)
    d.given("w", d.normal(d.shape[1], filters, *d.attributes["kernel_shape"]))
    d.given("b", d.normal(filters * group) if d.maybe() else None)


def pool(d: Draw) -> None:
    d.opset = d.one(7, 8, 10, 11, 12, 19, 22)
    d.windows(dilations=False)
    if d.opset >= 10 and d.maybe(0.4):
        d.attributes["ceil_mode"] = 1


@case("MaxPool")
def max_pool(d: Draw) -> None:
    pool(d)
    if d.opset >= 10 and d.maybe(0.3):
        d.attributes["dilations"] = [d.up_to(2, 1) for _ in d.shape[2:]]
    if d.opset >= 8 and d.maybe(0.2):
        d.attributes["storage_order"] = 1


@case("AveragePool")
def average_pool(d: Draw) -> None:
    pool(d)
    if d.maybe(0.4):
        d.attributes["count_include_pad"] = 1
    if d.opset >= 19 and d.maybe(0.3):
        d.attributes["dilations"] = [d.up_to(2, 1) for _ in d.shape[2:]]


@case("GlobalAveragePool", "GlobalMaxPool", "Relu", "Sigmoid", "Tanh", "Softplus", "HardSwish", "Mish", "Neg", "Abs")
def plain(d: Draw) -> None:
    d.opset = 18
    if d.maybe(0.3):
        d.shape = d.shape[:3]


@case("Exp", "Erf", "Log", "Sqrt", "Reciprocal")
def function(d: Draw) -> None:
    plain(d)
    d.positive = True
    d.scale = 3.0


@case("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare")
def reduce(d: Draw, since: int = 18) -> None:
    d.opset = d.one(11, 13, 18, 20)
    axes = sorted({d.axis() % 4 for _ in range(d.up_to(3, 1))})
    if d.maybe(0.3):
        axes = [axis - 4 for axis in axes]
    if d.maybe(0.9):
        d.given("axes", np.array(axes), since)
    elif d.opset >= since:
        d.attributes["noop_with_empty_axes"] = 1
        d.given("axes", d.one(None, np.zeros(0, np.int64)), since)
    if d.maybe(0.7):
        d.attributes["keepdims"] = d.up_to(1)


CASES["ReduceSum"] = lambda d: reduce(d, 13)


@case("Softmax")
def softmax(d: Draw) -> None:
    d.opset = d.one(9, 11, 12, 13, 17)
    if d.maybe(0.8):
        d.attributes["axis"] = d.axis()


@case("Clip")
def clip(d: Draw) -> None:
    d.opset = d.one(6, 11, 12, 13)
    low, high = np.sort(d.normal(2) * 10.0 ** d.one(-2, 0, 1, 3, 6, 10)).astype(np.float32)
    if d.maybe(0.3):
        low, high = d.one(
            (0, high), (low, 0), (-high, high), (low, np.float32(3e38)), (np.float32(-3.4028235e38), high)
        )
        low, high = np.float32(min(low, high)), np.float32(max(low, high))
    d.given("min", low if d.maybe(0.8) else None, 11)
    d.given("max", high if d.maybe(0.8) else None, 11)


@case("Pad")
def pad(d: Draw) -> None:
    d.opset = d.one(10, 11, 13, 18, 19)
    mode = d.one("constant", "constant", "reflect", "edge", *(["wrap"] if d.opset >= 19 else []))
    if d.maybe(0.8) or mode != "constant":
        d.attributes["mode"] = mode
    axes = [2, 3]
    d.shape[2:] = [d.up_to(6, 3), d.up_to(6, 3)]
    numbers = [d.up_to(2, -1 if mode == "constant" or d.maybe(0.2) else 0) for _ in range(4)]
    if d.opset >= 18 and d.maybe():
        d.rng.shuffle(axes)
        pads = numbers
    else:
        pads = [0, 0, *numbers[:2], 0, 0, *numbers[2:]]
        axes = []
    d.given("pads", np.array(pads), 11)
    value = np.float32(d.one(0, 1.5, -1e9, -3.4028235e38, 1e-3)) if d.maybe(0.7) else None
    if d.opset < 11:
        if value is not None:
            d.attributes["value"] = float(value)
    else:
        d.given("value", value)
        d.given("axes", np.array(axes) if axes else None)


@case("Slice")
def slices(d: Draw) -> None:
    d.opset = d.one(9, 10, 13)
    axes = [int(axis) for axis in d.rng.permutation([1, 2, 3])[: d.up_to(3, 1)]]
    steps = [d.one(1, 1, 1, 2, -1, -2, 3) if d.opset >= 10 else 1 for _ in axes]
    starts, ends = [], []
    for axis, step in zip(axes, steps, strict=True):
        n = d.shape[axis]
        first, last = d.up_to(n - 1), d.up_to(n, 1)
        pair = (
            (min(first, last - 1), max(first + 1, last))
            if step > 0
            else (max(first, last - 1), min(first, last - 1) - 1)
        )
        start, end = pair
        if d.maybe(0.3):
            start -= n
        if step > 0:
            end = d.one(end, end, end - n if end < n else end, (1 << 63) - 1, n + 5)
        else:
            end = d.one(-(1 << 62), -n - 1) if end < 0 else end
        starts.append(start)
        ends.append(end)
    if d.maybe(0.3):
        axes = [axis - 4 for axis in axes]
    for name, numbers in (("starts", starts), ("ends", ends), ("axes", axes)):
        d.given(name, np.array(numbers), 10)
    if d.opset >= 10 and (d.maybe() or set(steps) != {1}):
        d.given("steps", np.array(steps))


@case("Split")
def split(d: Draw) -> None:
    d.opset = d.one(11, 13, 18)
    d.shape[1] = d.up_to(9, 2)
    d.attributes["axis"] = d.one(1, -3)
    if d.opset == 18 and d.maybe():
        d.outputs = d.attributes["num_outputs"] = d.up_to(min(3, d.shape[1]), 1)
        return
    cuts = sorted({d.up_to(d.shape[1] - 1, 1) for _ in range(2)})
    d.outputs = len(cuts) + 1
    d.given("split", np.diff([0, *cuts, d.shape[1]]), 13)


@case("Gather")
def gather(d: Draw) -> None:
    d.attributes["axis"] = axis = d.axis()
    n = d.shape[axis]
    d.given("indices", d.rng.integers(-n, n, d.one((), (1,), (3,), (2, 2), (n,))))


@case("Transpose")
def transpose(d: Draw) -> None:
    d.attributes["perm"] = [0, *(int(axis) for axis in d.rng.permutation([1, 2, 3]))]


@case("Flatten")
def flatten(d: Draw) -> None:
    if d.maybe(0.8):
        d.attributes["axis"] = d.one(1, 2, 3, 4, -1, -3, 0)


@case("Squeeze")
def squeeze(d: Draw) -> None:
    d.opset = d.one(11, 13)
    d.shape[d.up_to(3, 1)] = 1
    axes = [axis for axis in (1, 2, 3) if d.shape[axis] == 1]
    if d.maybe(0.8):
        d.given("axes", np.array([axis - 4 if d.maybe(0.3) else axis for axis in axes]), 13)


@case("Unsqueeze")
def unsqueeze(d: Draw) -> None:
    d.opset = d.one(11, 13)
    d.shape = d.shape[:3]
    d.given("axes", np.array([d.one(1, 2, 3, -1, -2)]), 13)


@case("Reshape")
def reshape(d: Draw) -> None:
    n, c, h, w = d.shape
    shapes = [[0, 0, -1], [n, -1], [0, c * h, w], [-1, w, c, h], [0, -1, 1, h], [n, w, 1, c * h, 1], [-1, 0, 0, 0]]
    d.given("shape", np.array(d.one(*shapes)))


@case("Expand")
def expand(d: Draw) -> None:
    shape = [n if n > 1 or d.maybe() else d.up_to(3, 1) for n in d.shape]
    shape[0] = d.one(1, d.shape[0])
    d.given("shape", np.array([1 if d.maybe(0.3) else n for n in shape][d.up_to(2) :]))


@case("Gemm")
def gemm(d: Draw) -> None:
    d.shape = d.shape[:2]
    outputs = d.up_to(4, 1)
    for name in ("alpha", "beta"):
        if d.maybe():
            d.attributes[name] = float(d.one(0.5, 2.0, -1.0))
    turned = d.attributes["transB"] = d.up_to(1)
    if d.maybe(0.2):
        d.attributes["transA"] = d.up_to(1)
    d.given("w", d.normal(*([outputs, d.shape[1]] if turned else [d.shape[1], outputs])))
    d.given("c", d.normal(*d.one((outputs,), (1,), (), (1, outputs), (1, 1))) if d.maybe(0.8) else None)


@case("MatMul")
def matmul(d: Draw) -> None:
    if d.maybe(0.2):
        d.second, side = True, d.up_to(5, 1)
        d.shape[2:] = [side, side]
        return
    d.first = d.maybe(0.3)
    if d.first:
        d.given("w", d.normal(d.up_to(4, 1), d.shape[2]))
    else:
        d.given("w", d.normal(*d.one((d.shape[3], 3), (d.shape[3],), (1, 1, d.shape[3], 2))))


@case("BatchNormalization")
def batch_normalization(d: Draw) -> None:
    d.opset = d.one(7, 9, 14, 15)
    if d.maybe(0.3):
        d.shape = d.shape[:2]
    for name in ("scale", "bias", "mean"):
        d.given(name, d.normal(d.shape[1]))
    d.given("var", np.abs(d.normal(d.shape[1])))
    for name in ("epsilon", "momentum"):
        if d.maybe():
            d.attributes[name] = float(d.one(1e-3, 0.1, 0.9))


@case("InstanceNormalization")
def instance_normalization(d: Draw) -> None:
    d.scale = 1.0
    d.shape[2:] = [d.up_to(6, 3), d.up_to(6, 3)]
    d.given("scale", d.normal(d.shape[1]))
    d.given("bias", d.normal(d.shape[1]))
    if d.maybe():
        d.attributes["epsilon"] = float(d.one(1e-3, 0.1))


@case("GroupNormalization")
def group_normalization(d: Draw) -> None:
    d.opset, d.scale = 21, 1.0
    d.shape = [d.shape[0], 4, d.up_to(6, 3), d.up_to(6, 3)]
    d.attributes["num_groups"] = d.one(1, 2, 4)
    for name in ("scale", "bias"):
        d.given(name, d.normal(4))


@case("LayerNormalization")
def layer_normalization(d: Draw) -> None:
    d.scale = 1.0
    d.shape[1:] = [d.up_to(4, 2) for _ in range(3)]
    d.attributes["axis"] = axis = d.one(1, 2, 3, -1, -2)
    inside = d.shape[axis:]
    d.given("scale", d.normal(*inside))
    d.given("bias", d.normal(*inside) if d.maybe() else None)
    if d.maybe():
        d.attributes["epsilon"] = float(d.one(1e-3, 0.1))


@case("LeakyRelu", "Elu", "Celu", "ThresholdedRelu")
def with_alpha(d: Draw) -> None:
    d.opset, d.scale = 12, d.one(1.0, 3.0)
    if d.maybe(0.8):
        d.attributes["alpha"] = float(d.one(0.1, 0.5, 2.0, -0.5, 1.0, 0.0))


@case("HardSigmoid")
def hard_sigmoid(d: Draw) -> None:
    if d.maybe(0.7):
        d.attributes["alpha"] = float(d.one(0.1, 0.5, 2.0, -0.5))
    if d.maybe(0.7):
        d.attributes["beta"] = float(d.one(0.1, 0.5, 1.5, -0.5))


@case("Selu")
def selu(d: Draw) -> None:
    d.scale = 1.0
    if d.maybe(0.7):
        d.attributes["alpha"] = float(d.one(0.1, 0.5, 2.0, -0.5))
    if d.maybe(0.7):
        d.attributes["gamma"] = float(d.one(0.1, 0.5, 1.5, -0.5))


@case("Gelu")
def gelu(d: Draw) -> None:
    d.opset = 20
    if d.maybe(0.8):
        d.attributes["approximate"] = d.one("none", "tanh")


def broadcast(d: Draw) -> tuple[int, ...]:
    shape = [1, *(n if d.maybe() else 1 for n in d.shape[1:])]
    return tuple(shape[d.up_to(4) :])


@case("PRelu")
def prelu(d: Draw) -> None:
    d.given("slope", d.normal(*broadcast(d)))


@case("Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean")
def arithmetic(d: Draw) -> None:
    d.opset = d.one(8, 13, 14)
    d.second, d.first = d.maybe(0.3), d.maybe(0.3)
    if d.second:
        d.scale = 10.0 ** d.one(0, 6, 12)
        return
    shape = () if d.maybe(0.3) else broadcast(d)
    d.given("c", (d.normal(*shape) * np.float32(10.0 ** d.one(0, 2, -3, 8))).astype(np.float32))


@case("Pow")
def power(d: Draw) -> None:
    d.scale = 1.0
    exponent = d.one(1, 2, 3, 0.5, -1, -2, 1.7)
    d.positive = exponent not in (1, 2, 3)
    d.given("c", np.float32(exponent))


@case("DepthToSpace", "SpaceToDepth")
def depth(d: Draw) -> None:
    d.opset = d.one(11, 13)
    d.shape = [d.shape[0], d.one(4, 8, 9, 12), 6, 4]
    d.attributes["blocksize"] = d.one(2, 2, 3)


@case("DepthToSpace")
def depth_to_space(d: Draw) -> None:
    depth(d)
    if d.maybe():
        d.attributes["mode"] = d.one("CRD", "DCR")


@case("Concat")
def concat(d: Draw) -> None:
    d.second = True
    d.attributes["axis"] = d.axis()


@case("Dropout")
def dropout(d: Draw) -> None:
    d.opset = d.one(7, 10, 12, 13)
    if d.maybe():
        d.given("ratio", np.float32(0.25), 12)


def by_runtime(model: Any, x: np.ndarray) -> list[np.ndarray] | None:
    """What ONNX Runtime makes of x; None if it refuses the model."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})
    except Exception:  # the classes are not public
        return None


@pytest.mark.parametrize("kind", sorted(CASES))
def test_attributes_mean_what_they_mean_to_onnx_runtime(kind: str) -> None:
    rng = np.random.default_rng([SEED, *kind.encode()])
    compared, refused = 0, set()
    for _ in range(1500 if FULL else 40):
        d = Draw(rng)
        CASES[kind](d)
        model = d.model(kind)
        x = d.normal(*d.shape) * np.float32(d.scale)
        if d.positive:
            x = np.abs(x) + np.float32(1e-3)
        wants = by_runtime(model, x)
        if wants is None or any(not want.size for want in wants):
            continue
        try:
            gots = Backend.run_model(model, [x])
        except ValueError as error:
            assert f"{kind} node" in str(error), error
            refused.add(str(error).splitlines()[-1])
            continue
        compared += 1
        for got, want in zip(gots, wants, strict=True):
            assert got.shape == want.shape, model
            # Sums are as good as their largest terms; a pure selection or clipping is exact where it is small.
            top = 0.0 if kind in EXACT else 1e-5 * float(np.abs(want).max()) + 1e-6 * float(np.abs(x).max())
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=top, err_msg=str(model))
    assert compared >= 6, refused


def test_the_documentation_lists_the_operators() -> None:
    from striate.onnx._importer import CONVERTERS

    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
    listed = page.partition("in the default domain:\n")[2].partition(".\n")[0]
    assert listed.replace("\n", " ").strip().split(", ") == sorted(CONVERTERS)
    elsewhere = {"Cast", "Identity", "Resize", "Upsample", "Swish", "SequenceAt", "SplitToSequence"}
    elsewhere |= {"ArgMax", "ArgMin", "GlobalLpPool", "LRN", "LogSoftmax", "LpNormalization", "RMSNormalization"}
    elsewhere |= {"ReduceL1", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd", "Shrink", "Softsign", "Tile"}
    elsewhere |= {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Sign", "Where"}
    assert {*CONVERTERS} - {*CASES} <= elsewhere


EXACT = {"Clip", "Min", "Max", "Pad", "Relu", "MaxPool", "ReduceMax", "Slice", "Gather", "Concat", "ThresholdedRelu"}
