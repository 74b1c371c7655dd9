"""Networks as graphs: fan-out, shared layers, residual sums, concatenation, several inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from layer_cases import CASES
from layer_setups import Arrays, Setup
from numeric import gradient_error, normal, relative_error, weight
from striate import layers

BY_NAME = {case.layer: case for case in CASES}


@dataclass
class Net:
    """A network that is drawn in striate and evaluated by the references, side by side.

    A node is a number; `calls` has (layer's name, input nodes) for each that is no input.
    """

    seed: int = 0
    symbols: list[Any] = field(default_factory=list)
    calls: list[tuple[str, tuple[int, ...]] | None] = field(default_factory=list)
    layers: dict[str, tuple[str, dict[str, Any], layers.Layer]] = field(default_factory=dict)
    weights: Arrays = field(default_factory=dict)
    model: Any = None
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def start(self, *shape: int) -> int:
        self.symbols.append(layers.Input(shape))
        self.calls.append(None)
        return len(self.symbols) - 1

    def shape(self, node: int) -> tuple[int, ...]:
        return tuple(self.symbols[node].shape[1:])

    def add(self, kind: str, *inputs: int, **args: Any) -> int:
        """A new layer on these nodes."""
        name = f"{kind.lower()}_{len(self.layers)}"
        self.layers[name] = (kind, args, getattr(layers, kind)(**args, name=name))
        shapes = BY_NAME[kind].weights(Setup(args, tuple(self.shape(i) for i in inputs)))
        rng = np.random.default_rng([self.seed, len(self.layers)])
        self.weights.update({f"{name}/{w}": weight(w, shape, rng) for w, shape in shapes.items()})
        return self.again(name, *inputs)

    def again(self, name: str, *inputs: int) -> int:
        """A layer that there is already, on these nodes."""
        layer = self.layers[name][2]
        given = [self.symbols[i] for i in inputs]
        self.symbols.append(layer(given if len(given) > 1 else given[0]))
        self.calls.append((name, inputs))
        return len(self.symbols) - 1

    def name_of(self, node: int) -> str:
        call = self.calls[node]
        assert call is not None
        return call[0]

    def build(self, inputs: list[int], outputs: list[int]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.model = striate.Model(
            [self.symbols[i] for i in inputs], [self.symbols[o] for o in outputs], seed=self.seed
        )
        used = {name: self.weights[name] for name in self.model.state_dict()}
        self.weights = used
        self.model.load_state_dict(used)

    def evaluate(self, x: list[np.ndarray], weights: Arrays) -> list[np.ndarray]:
        values: dict[int, np.ndarray] = dict(zip(self.inputs, x, strict=True))

        def value(node: int) -> np.ndarray:
            if node not in values:
                name, inputs = self.calls[node]  # type: ignore[misc]
                kind, args, _ = self.layers[name]
                own = {w.rpartition("/")[2]: a for w, a in weights.items() if w.startswith(f"{name}/")}
                values[node] = BY_NAME[kind].value([value(i) for i in inputs], own, args)
            return values[node]

        return [value(node) for node in self.outputs]

    def check(self, batch: int = 2) -> None:
        """Values and all gradients."""
        rng = np.random.default_rng(self.seed)
        x = [normal(rng, (batch, *self.shape(i))) for i in self.inputs]
        weights = {name: w.astype(np.float64) for name, w in self.weights.items()}
        want = self.evaluate([a.astype(np.float64) for a in x], weights)
        for result in (self.model.forward(x), self.model.predict(x)):
            got = result if isinstance(result, list) else [result]
            assert len(got) == len(want)
            assert max(relative_error(g, w, 1e-3) for g, w in zip(got, want, strict=True)) <= 5e-5
        cotangents = [normal(rng, w.shape) for w in want]
        self.model.forward(x)
        back = self.model.backward(cotangents if len(cotangents) > 1 else cotangents[0])
        slopes: dict[int | str, np.ndarray] = dict(enumerate(back if isinstance(back, list) else [back]))
        slopes.update(self.model.gradients())
        assert set(slopes) == set(range(len(x))) | {w for w in weights if "moving_" not in w}
        floor = 1e-4 * float(np.sqrt(sum(np.sum(c**2) for c in cotangents)))
        for at, slope in slopes.items():

            def loss(value: np.ndarray, at: int | str = at) -> float:
                inputs = [value if i == at else a.astype(np.float64) for i, a in enumerate(x)]
                changed = weights if isinstance(at, int) else {**weights, at: value}
                outputs = self.evaluate(inputs, changed)
                return sum(float(np.sum(c * o)) for c, o in zip(cotangents, outputs, strict=True))

            start = x[at] if isinstance(at, int) else self.weights[at]
            assert gradient_error(slope, loss, start, rng, floor) <= 1e-4, at


def conv(net: Net, node: int, filters: int, **args: Any) -> int:
    return net.add("Conv2D", node, filters=filters, kernel_size=3, padding="same", **args)


def test_fan_out() -> None:
    net = Net(1)
    x = net.start(6, 5, 3)
    a = conv(net, x, 4, activation="tanh")
    left, middle, right = conv(net, a, 5), net.add("Activation", a, activation="sigmoid"), net.add("Flatten", a)
    net.build([x], [left, middle, right])
    net.check()


def test_residual_blocks() -> None:
    net = Net(2)
    x = net.start(7, 6, 3)
    node = conv(net, x, 8)
    for _ in range(3):
        inner = net.add("Activation", net.add("BatchNormalization", conv(net, node, 8)), activation="silu")
        node = net.add("Add", conv(net, inner, 8), node)
    net.build([x], [net.add("Dense", net.add("GlobalAveragePooling2D", node), units=4)])
    net.check(3)


def test_dense_connections() -> None:
    net = Net(3)
    x = net.start(5, 5, 3)
    node = x
    for _ in range(3):
        node = net.add("Concatenate", node, net.add("Activation", conv(net, node, 4), activation="softplus"))
    net.build([x], [net.add("AveragePooling2D", node)])
    net.check()


def test_layer_called_twice_shares_its_weights() -> None:
    net = Net(4)
    x, y = net.start(5, 4, 3), net.start(5, 4, 3)
    a = conv(net, x, 6)
    b = net.again(net.name_of(a), y)
    head = net.add("Dense", net.add("Flatten", net.add("Activation", a, activation="tanh")), units=3)
    head_again = net.again(net.name_of(head), net.add("Flatten", net.add("Activation", b, activation="tanh")))
    net.build([x, y], [net.add("Subtract", head, head_again)])
    assert len(net.model.state_dict()) == 4
    net.check()


def test_layer_called_on_its_own_output() -> None:
    net = Net(5)
    x = net.start(4, 4, 5)
    node = conv(net, x, 5, activation="tanh")
    for _ in range(2):
        node = net.again(net.name_of(node), node)
    net.build([x], [node])
    assert len(net.model.state_dict()) == 2
    net.check()


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_one_symbol_as_both_inputs(kind: str) -> None:
    net = Net(6)
    x = net.start(3, 4, 5)
    a = conv(net, x, 4)
    net.build([x], [net.add(kind, a, a), net.add(kind, x, x)])
    net.check()


def test_several_inputs_of_several_ranks() -> None:
    net = Net(7)
    image, row, number = net.start(5, 4, 3), net.start(7), net.start(1)
    a = net.add("Flatten", conv(net, image, 2, activation="tanh"))
    b = net.add("Dense", row, units=6, activation="gelu")
    both = net.add("Concatenate", a, b, number)
    net.build([number, image, row], [net.add("Dense", both, units=3), b])
    net.check()


def test_output_that_is_also_used_further() -> None:
    net = Net(8)
    x = net.start(6, 6, 3)
    a = conv(net, x, 4)
    b = net.add("Activation", a, activation="relu6")
    c = conv(net, b, 5)
    net.build([x], [c, b, a])
    net.check()


def test_one_output_twice_and_an_input_as_output() -> None:
    net = Net(9)
    x, y = net.start(3, 3, 2), net.start(4)
    a = net.add("Dense", y, units=3)
    net.build([x, y], [a, a, x])
    net.check()


def test_reshapes_in_a_row() -> None:
    net = Net(10)
    x = net.start(4, 3, 5)
    flat = net.add("Flatten", x)
    again = net.add("Reshape", flat, target_shape=(6, 10))
    net.build([x], [net.add("Dense", again, units=3), net.add("Multiply", flat, net.add("Flatten", again)), flat])
    net.check()


def test_maps_of_many_borders() -> None:
    # Two readers that want different zeros around one map, one of which reads it unpadded.
    net = Net(11)
    x = net.start(9, 8, 3)
    a = conv(net, x, 4, activation="tanh")
    wide = net.add("Conv2D", a, filters=3, kernel_size=(5, 7), padding="same", dilation_rate=2)
    strided = net.add("Conv2D", a, filters=3, kernel_size=(2, 4), padding="same", strides=2)
    plain = net.add("Conv2D", a, filters=3, kernel_size=3)
    deep = net.add("DepthwiseConv2D", a, kernel_size=4, padding="same")
    pool = net.add("MaxPooling2D", a, pool_size=3, strides=2, padding="same")
    net.build([x], [wide, strided, plain, deep, pool, net.add("ZeroPadding2D", a, padding=2), net.add("Flatten", a)])
    net.check()


def test_branches_that_are_cropped_and_padded_to_fit() -> None:
    net = Net(12)
    x = net.start(8, 8, 3)
    down = net.add("MaxPooling2D", conv(net, x, 4, activation="tanh"))
    up = net.add("UpSampling2D", conv(net, down, 4), interpolation="bilinear")
    back = net.add("Conv2DTranspose", down, filters=4, kernel_size=3, strides=2, padding="same")
    skip = net.add("ZeroPadding2D", net.add("Cropping2D", x, cropping=1), padding=1)
    net.build([x], [conv(net, net.add("Concatenate", up, skip, back), 2)])
    net.check()


# Layers that keep a map's sides, so that any two of one width can be merged.
UNARY: list[tuple[str, dict[str, Any]]] = [
    ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same"}),
    ("Conv2D", {"filters": 3, "kernel_size": 1, "activation": "tanh"}),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 4), "padding": "same", "dilation_rate": 2, "use_bias": False}),
    ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}),
    ("BatchNormalization", {}),
    ("LayerNormalization", {}),
    ("Activation", {"activation": "tanh"}),
    ("Activation", {"activation": "softmax"}),
    ("AveragePooling2D", {"pool_size": 3, "strides": 1, "padding": "same"}),
    ("Dense", {"units": 4}),
    ("Rescaling", {"scale": 0.5, "offset": 0.25}),
    ("Dropout", {"rate": 0.5}),
]


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Up to nine nodes over one or two inputs: new layers, old ones again, sums, products, concatenations."""
    net = Net(draw(st.integers(0, 2**32 - 1)))
    sides = draw(st.sampled_from(((4, 3), (1, 1), (5, 2))))
    starts = [net.start(*sides, draw(st.sampled_from((3, 4)))) for _ in range(draw(st.integers(1, 2)))]
    for _ in range(draw(st.integers(1, 9))):
        nodes = st.integers(0, len(net.symbols) - 1)
        node = draw(nodes)
        same = [i for i in range(len(net.symbols)) if net.shape(i) == net.shape(node)]
        fitting = [
            call[0] for call in net.calls if call and len(call[1]) == 1 and net.shape(call[1][0]) == net.shape(node)
        ]
        what = draw(st.sampled_from(("new", "new", "merge", "concatenate", "again")))
        if what == "merge":
            net.add(draw(st.sampled_from(("Add", "Subtract", "Multiply"))), node, draw(st.sampled_from(same)))
        elif what == "concatenate" and net.shape(node)[-1] < 12:
            net.add("Concatenate", node, draw(nodes))
        elif what == "again" and fitting:
            net.again(draw(st.sampled_from(fitting)), node)
        else:
            kind, args = draw(st.sampled_from(UNARY))
            net.add(kind, node, **args)
    later = range(len(starts), len(net.symbols))
    outputs = draw(st.lists(st.sampled_from(later), min_size=1, max_size=3, unique=True))
    needed, todo = set(), list(outputs)
    while todo:
        node = todo.pop()
        needed.add(node)
        call = net.calls[node]
        todo += [i for i in (call[1] if call else ()) if i not in needed]
    net.build([s for s in starts if s in needed], outputs)
    return net


@given(net=nets(), batch=st.integers(1, 3))
def test_any_graph(net: Net, batch: int) -> None:
    net.check(batch)


@given(net=nets())
def test_any_graph_comes_back_from_a_file(net: Net, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("graph") / "m.safetensors"
    net.model.save(path)
    loaded = striate.load_model(path)
    rng = np.random.default_rng(net.seed)
    x = [normal(rng, (2, *net.shape(i))) for i in net.inputs]
    ours, theirs = (m.predict(x if len(x) > 1 else x[0]) for m in (net.model, loaded))
    for a, b in zip(*(r if isinstance(r, list) else [r] for r in (ours, theirs)), strict=True):
        assert a.tobytes() == b.tobytes()


def test_losses_of_several_outputs_add_up() -> None:
    x = layers.Input((4,))
    shared = layers.Dense(5, activation="tanh", name="shared")(x)
    outputs = [layers.Dense(2, name="first")(shared), layers.Dense(3, name="second")(shared)]
    model = striate.Model(x, outputs, seed=1)
    rng = np.random.default_rng(0)
    a, y = normal(rng, (6, 4)), [normal(rng, (6, 2)), normal(rng, (6, 3))]
    model.compile(optimizer=striate.optimizers.SGD(0.1), loss=["mse", "mae"], loss_weights=[0.75, 2.0])
    p = model.forward(a)
    want = 0.75 * ((p[0] - y[0]) ** 2).mean() + 2.0 * np.abs(p[1] - y[1]).mean()
    each = [want, ((p[0] - y[0]) ** 2).mean(), np.abs(p[1] - y[1]).mean()]
    assert model.test_on_batch(a, y) == pytest.approx(each, rel=1e-5)
    model.backward([0.75 * 2 * (p[0] - y[0]) / 12, 2.0 * np.sign(p[1] - y[1]) / 18])
    before, gradients = model.state_dict(), model.gradients()
    assert model.train_on_batch(a, y) == pytest.approx(each, rel=1e-5)
    for name, after in model.state_dict().items():
        np.testing.assert_allclose(after, before[name] - 0.1 * gradients[name], rtol=1e-5, atol=1e-6)
