"""One row for each loss: its targets and predictions, and what defines it. The losses' tests are driven by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from reference.losses import crossentropy, detection, focal, overlap, regression
from reference.losses.reduction import total
from striate import losses

Args = Mapping[str, Any]


@dataclass(frozen=True)
class LossSetup:
    """A loss's arguments, and the shape of the predictions with the batch."""

    args: dict[str, Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class LossCase:
    """One loss.

    Attributes:
        loss: the class in striate.losses, and in Keras.
        setups: what to draw.
        reference: targets, predictions and arguments to values, one a sample or pixel.
        targets: "numbers", "shares" (0 … 1), "one-hot", "labels" or "boxes".
        joint: the activation that it takes the input of, instead of the output; "by channels" is the softmax of several
            and the sigmoid of one.
        overlap: whether weights of pixels are the reference's, to weigh them in its sums.
        terms: of a sum of losses: the rows that it sums up; arguments are those that the rows have in common,
            "weights", and the "axis" of those with overlap.
        corner: the distance of targets and predictions from where there is no derivative.
        per_image: whether a sample has one weight at most; with them, the arguments to take.
        large: arguments and the shape that the test of threads takes.
    """

    loss: str
    setups: st.SearchStrategy[LossSetup]
    reference: Callable[..., np.ndarray]
    targets: str
    joint: str | None = None
    corner: Callable[[np.ndarray, np.ndarray, Args], float] = lambda y, p, args: np.inf
    overlap: bool = False
    terms: tuple[LossCase, ...] = ()
    per_image: dict[str, Any] | None = None
    large: LossSetup = LossSetup({}, (6, 61, 43, 19))

    @property
    def name(self) -> str:
        """For the tests' names."""
        sort = "" if self.targets != "labels" or self.loss.startswith("Sparse") else "-labels"
        return self.loss + sort + "".join(f"-{term.loss}" for term in self.terms)

    def make(self, args: Args) -> losses.Loss:
        """The loss itself."""
        if not self.terms:
            return getattr(losses, self.loss)(**args)
        return losses.WeightedSum([term.make(self._of(term, args)) for term in self.terms], args.get("weights"))

    @staticmethod
    def _of(term: LossCase, args: Args) -> dict[str, Any]:
        """A sum's arguments that are its term's."""
        return {key: value for key, value in args.items() if key != "weights" and (key != "axis" or term.overlap)}

    def joint_activation(self, setup: LossSetup) -> str:
        assert self.joint
        return ("softmax" if setup.shape[-1] > 1 else "sigmoid") if self.joint == "by channels" else self.joint

    def value(self, y: np.ndarray, p: np.ndarray, args: Args, weight: np.ndarray | None = None) -> float:
        """The whole loss, in float64."""
        if self.terms:
            weights = args.get("weights") or [1.0] * len(self.terms)
            parts = [term.value(y, p, self._of(term, args), weight) for term in self.terms]
            return float(np.dot(weights, parts))
        if self.overlap:
            by_pixel = weight is not None and weight.ndim > 1
            more = {"weight": weight.astype(np.float64)} if weight is not None and by_pixel else {}
            values = self.reference(y.astype(np.float64), p.astype(np.float64), **args, **more)
            return total(values, None if weight is None or by_pixel else weight.astype(np.float64))
        valid = None
        if args.get("ignore_class") is not None:
            valid = crossentropy.valid_labels(y, args["ignore_class"])
        values = self.reference(y.astype(np.float64), p.astype(np.float64), **args)
        return total(values, None if weight is None else weight.astype(np.float64), valid)

    def draw_targets(self, setup: LossSetup, rng: np.random.Generator) -> np.ndarray:
        shape, classes = setup.shape, setup.shape[-1]
        if self.targets == "numbers":
            return rng.standard_normal(shape).astype(np.float32)
        if self.targets == "shares":
            # Mostly yes or no; a few in between, as after mixing samples.
            y = rng.integers(0, 2, shape).astype(np.float32)
            return np.where(rng.random(shape) < 0.1, rng.random(shape), y).astype(np.float32)
        if self.targets == "boxes":
            return draw_boxes(setup, rng)
        labels = rng.integers(0, classes, shape[:-1])
        if self.targets == "one-hot":
            return np.eye(classes, dtype=np.float32)[labels]
        ignored = setup.args.get("ignore_class")
        if ignored is not None:
            labels[rng.random(labels.shape) < 0.3] = ignored
        return labels

    def draw_predictions(self, setup: LossSetup, rng: np.random.Generator) -> np.ndarray:
        """Any numbers where such are expected; else probabilities, away from 0 and 1, that need not add up to 1."""
        if self.targets in ("numbers", "boxes") or setup.args.get("from_logits"):
            return (2 * rng.standard_normal(setup.shape)).astype(np.float32)
        return rng.uniform(0.02, 0.98, setup.shape).astype(np.float32)


def draw_boxes(setup: LossSetup, rng: np.random.Generator) -> np.ndarray:
    """Packed boxes: of all sizes, some ignored, some in one place, images without any; gaps between them."""
    strides, most = setup.args.get("strides", (8, 16)), setup.args.get("max_boxes", 100)
    whole = sum(4**level for level in range(len(strides)))
    height, width = setup.shape[1] // whole * 4 ** (len(strides) - 1) * strides[0], setup.shape[2] * strides[0]
    y = np.zeros((setup.shape[0], most, 5), np.float32)
    corner = rng.uniform(0, 0.9, (*y.shape[:2], 2))
    extent = rng.uniform(0.02, 1.0, corner.shape) ** 2
    y[..., :2] = corner * [width, height]
    y[..., 2:4] = np.minimum(corner + extent + 0.01, 1) * [width, height]
    twin = rng.random(y.shape[:2]) < 0.2
    y[twin, :4] = np.roll(y, 1, axis=1)[twin, :4]
    labels = rng.integers(0, setup.shape[-1] - 5, y.shape[:2])
    y[..., 4] = np.where(rng.random(labels.shape) < 0.2, -2 - labels, labels)
    some = rng.integers(0, 7, len(y))[:, None] / most
    y[rng.random(labels.shape) >= some, 4] = -1
    return y


BATCHES = st.sampled_from((1, 2, 3, 5))
CLASSES = st.sampled_from((2, 3, 5, 17, 33))
SIDES = st.sampled_from((1, 2, 5))
WIDTHS = st.sampled_from((1, 2, 3, 5, 17, 33))
LOGITS = st.booleans()
SMOOTHING = st.sampled_from((0.0, 0.0, 0.1, 0.5))
GAMMA = st.sampled_from((2.0, 1.0, 0.0, 3.5))


def setups(last: st.SearchStrategy[int], **args: st.SearchStrategy[Any]) -> st.SearchStrategy[LossSetup]:
    """Rows (N, C) and maps (N, H, W, C)."""
    shapes = st.one_of(st.tuples(BATCHES, last), st.tuples(BATCHES, SIDES, SIDES, last))
    return st.builds(LossSetup, st.fixed_dictionaries(args), shapes)


LABELS = {"from_logits": LOGITS, "ignore_class": st.sampled_from((None, None, 0, 1, -1, 255))}
AXES = st.sampled_from((None, (1, 2, 3), (1, 2), (0, 1, 2)))
SMOOTH = st.sampled_from((None, None, 0.0, 1.0, 1e-3))


def overlaps(**args: st.SearchStrategy[Any]) -> st.SearchStrategy[LossSetup]:
    """Masks; the sums run over everything, over each sample, or over each channel of each sample."""
    shapes = st.tuples(BATCHES, SIDES, SIDES, st.sampled_from((1, 2, 3, 17)))
    return st.builds(
        LossSetup, st.fixed_dictionaries({"axis": AXES, "smooth": SMOOTH, "from_logits": LOGITS, **args}), shapes
    )


def label_maps(**args: st.SearchStrategy[Any]) -> st.SearchStrategy[LossSetup]:
    """Maps of several classes, whose targets are labels."""
    shapes = st.tuples(BATCHES, SIDES, SIDES, CLASSES)
    return st.builds(LossSetup, st.fixed_dictionaries({**LABELS, **args}), shapes)


def maps(last: st.SearchStrategy[int], **args: st.SearchStrategy[Any]) -> st.SearchStrategy[LossSetup]:
    """Maps (N, H, W, C)."""
    return st.builds(LossSetup, st.fixed_dictionaries(args), st.tuples(BATCHES, SIDES, SIDES, last))


def detectors() -> st.SearchStrategy[LossSetup]:
    """Outputs of one to three strides."""
    args = st.fixed_dictionaries(
        {
            "strides": st.sampled_from(((8,), (4, 8), (8, 16), (2, 4, 8))),
            "box_loss": st.sampled_from(("giou", "ciou")),
            "gamma": st.sampled_from((2.0, 0.0, 1.5)),
            "alpha": st.sampled_from((0.25, None, 0.75)),
            "box_weight": st.sampled_from((2.0, 0.5)),
            "class_weight": st.sampled_from((1.0, 0.0, 0.3)),
            "size_limit": st.sampled_from((4.0, 2.0)),
            "radius": st.sampled_from((1.5, 0.0, 2.5)),
            "max_boxes": st.sampled_from((6, 1, 30)),
        }
    )

    def shaped(args: dict[str, Any], batch: int, grid: tuple[int, int], classes: int) -> LossSetup:
        levels = len(args["strides"])
        rows = grid[0] * sum(4**level for level in range(levels))
        return LossSetup(args, (batch, rows, grid[1] * 2 ** (levels - 1), 5 + classes))

    grids = st.sampled_from(((1, 1), (2, 3), (1, 4)))
    return st.builds(shaped, args, BATCHES, grids, st.sampled_from((1, 2, 10, 17)))


def focal_alphas(setup: LossSetup) -> st.SearchStrategy[LossSetup]:
    """One alpha, or one for each class."""
    each = tuple(np.linspace(0.25, 1.5, setup.shape[-1]).tolist())
    return st.sampled_from((0.25, 0.75, each)).map(lambda a: LossSetup({**setup.args, "alpha": a}, setup.shape))


TVERSKY = {"alpha": st.sampled_from((0.5, 0.25)), "beta": st.sampled_from((0.5, 0.75))}

LOSS_CASES: tuple[LossCase, ...] = (
    LossCase("MeanSquaredError", setups(WIDTHS), regression.mean_squared_error, "numbers"),
    LossCase(
        "MeanAbsoluteError",
        setups(WIDTHS),
        regression.mean_absolute_error,
        "numbers",
        corner=lambda y, p, args: float(np.abs(p - y).min()),
    ),
    LossCase("Huber", setups(WIDTHS, delta=st.sampled_from((1.0, 0.5, 3.0))), regression.huber, "numbers"),
    LossCase("KLDivergence", setups(CLASSES), regression.kl_divergence, "shares"),
    LossCase(
        "BinaryCrossentropy",
        setups(WIDTHS, from_logits=LOGITS, label_smoothing=SMOOTHING),
        crossentropy.binary_crossentropy,
        "shares",
        "sigmoid",
    ),
    LossCase(
        "CategoricalCrossentropy",
        setups(CLASSES, from_logits=LOGITS, label_smoothing=SMOOTHING),
        crossentropy.categorical_crossentropy,
        "one-hot",
        "softmax",
    ),
    LossCase(
        "SparseCategoricalCrossentropy",
        setups(CLASSES, from_logits=LOGITS, ignore_class=st.sampled_from((None, None, 0, 1, -1, 255))),
        crossentropy.sparse_categorical_crossentropy,
        "labels",
        "softmax",
    ),
    LossCase(
        "BinaryFocalCrossentropy",
        setups(
            WIDTHS,
            from_logits=LOGITS,
            label_smoothing=SMOOTHING,
            gamma=GAMMA,
            apply_class_balancing=st.booleans(),
            alpha=st.sampled_from((0.25, 0.75)),
        ),
        focal.binary_focal_crossentropy,
        "shares",
        "sigmoid",
    ),
    LossCase(
        "CategoricalFocalCrossentropy",
        setups(CLASSES, from_logits=LOGITS, label_smoothing=SMOOTHING, gamma=GAMMA).flatmap(focal_alphas),
        focal.categorical_focal_crossentropy,
        "one-hot",
        "softmax",
    ),
    LossCase(
        "CategoricalFocalCrossentropy",
        label_maps(label_smoothing=SMOOTHING, gamma=GAMMA).flatmap(focal_alphas),
        focal.categorical_focal_crossentropy,
        "labels",
        "softmax",
    ),
    LossCase(
        "DetectionLoss",
        detectors(),
        detection.detection,
        "boxes",
        corner=lambda y, p, args: detection.nearest_kink(
            y, p, **{key: args[key] for key in ("strides", "size_limit", "radius") if key in args}
        ),
        per_image={},
        large=LossSetup({}, (6, 60, 44, 19)),
    ),
    LossCase("Dice", overlaps(), overlap.dice, "shares", "by channels", overlap=True),
    LossCase("Dice", label_maps(axis=AXES, smooth=SMOOTH), overlap.dice, "labels", "softmax", overlap=True),
    LossCase("Tversky", overlaps(**TVERSKY), overlap.tversky, "shares", "by channels", overlap=True),
    LossCase(
        "Tversky", label_maps(axis=AXES, smooth=SMOOTH, **TVERSKY), overlap.tversky, "labels", "softmax", overlap=True
    ),
)
_DENSE = {(case.loss, case.targets): case for case in LOSS_CASES}
LOSS_CASES += tuple(
    LossCase("WeightedSum", drawn, lambda y, p: p, targets, joint, terms=tuple(_DENSE[term] for term in terms))
    for drawn, targets, joint, terms in (
        (
            label_maps(weights=st.sampled_from((None, (0.5, 1.0), (2.0, 0.25)))),
            "labels",
            "softmax",
            (("Dice", "labels"), ("SparseCategoricalCrossentropy", "labels")),
        ),
        (
            label_maps(weights=st.sampled_from((None, (0.5, 1.0, 0.0), (2.0, 0.25, -0.125)))),
            "labels",
            "softmax",
            (
                ("CategoricalFocalCrossentropy", "labels"),
                ("SparseCategoricalCrossentropy", "labels"),
                ("Tversky", "labels"),
            ),
        ),
        (
            maps(st.just(1), from_logits=LOGITS, weights=st.sampled_from((None, (0.5, 1.0)))),
            "shares",
            "sigmoid",
            (("BinaryCrossentropy", "shares"), ("Dice", "shares")),
        ),
        (
            maps(CLASSES, from_logits=LOGITS, weights=st.sampled_from((None, (0.5, 1.0)))),
            "one-hot",
            "softmax",
            (("CategoricalCrossentropy", "one-hot"), ("Dice", "shares")),
        ),
    )
)
