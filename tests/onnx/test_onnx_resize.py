"""Resize and Upsample beside ONNX Runtime: sizes, coordinates and weights are computed in float32."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from striate.onnx import load  # noqa: E402
from striate.onnx.backend import Backend  # noqa: E402

FULL = bool(os.environ.get("FULL"))
SEED = int(os.environ.get("STRIATE_SEED", "0"), 16)
MODES = [
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "half_pixel_symmetric",
    "tf_crop_and_resize",
]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
EASY = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]


def by_runtime(model: Any, x: np.ndarray) -> np.ndarray | None:
    """What ONNX Runtime makes of x; None if it refuses the model."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]
    except Exception:  # the classes are not public
        return None


def model_of(
    kind: str, opset: int, shape: list[int], inputs: dict[str, np.ndarray | None], attributes: dict[str, Any]
) -> Any:
    """A model of one node. Inputs that are None are left out."""
    names = ["x", *(name if array is not None else "" for name, array in inputs.items())]
    node = helper.make_node(kind, names, ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(array, name) for name, array in inputs.items() if array is not None],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def scale(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < 0.25:
        return float(rng.choice(EASY))
    return float(rng.integers(1, 40) / rng.integers(1, 20)) if kind < 0.5 else float(rng.uniform(0.05, 4))


def draw(rng: np.random.Generator, mode: str, coordinates: str, nearest: str) -> tuple[Any, list[int]]:
    """A model with one of the operators' versions, and the shape of its input."""
    shape = [1, 2, *(int(n) for n in rng.integers(1, 24, 2))]
    if rng.random() < 0.1:
        shape[3] = int(rng.integers(100, 700))
    scales = np.array([1, 1, scale(rng), scale(rng)], np.float32)
    sizes = np.array([*shape[:2], *rng.integers(1, 50, 2)], np.int64)
    opset = int(rng.choice([7, 9, 10, 11, 13, 18, 19]))
    if opset < 11:
        attributes: dict[str, Any] = {"mode": "nearest" if mode == "nearest" else "linear"}
        if opset < 10:
            scales = np.maximum(scales, 1)
        if opset == 7:
            return model_of("Upsample", 7, shape, {}, {**attributes, "scales": scales.tolist()}), shape
        return model_of("Upsample" if opset < 10 else "Resize", opset, shape, {"scales": scales}, attributes), shape
    if coordinates == "half_pixel_symmetric":
        opset = 19
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    axes = [2, 3, 0, 1][: 4 - 2 * int(opset >= 18 and rng.random() < 0.3)]
    rng.shuffle(axes)
    if len(axes) == 4:
        axes = [0, 1, 2, 3]
    else:
        attributes["axes"] = axes
    if mode == "nearest":
        attributes["nearest_mode"] = nearest
    elif opset >= 18 and rng.random() < 0.3:
        attributes["antialias"] = 1
    if mode == "cubic":
        attributes["cubic_coeff_a"] = float(rng.choice([-0.75, -0.5]))
        attributes["exclude_outside"] = int(rng.random() < 0.4)
    box = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], np.float32)
    if coordinates == "tf_crop_and_resize":
        box[:, 2:] = np.sort(rng.uniform(-0.2, 1.2, (2, 2)), axis=0)
        attributes["extrapolation_value"] = float(rng.choice([0, 5]))
    empty = np.zeros(0, np.float32) if opset < 13 else None
    roi = box[:, axes].reshape(-1) if coordinates == "tf_crop_and_resize" else empty
    if rng.random() < 0.6:
        return model_of("Resize", opset, shape, {"roi": roi, "scales": scales[axes]}, attributes), shape
    if opset >= 18 and rng.random() < 0.4:
        attributes["keep_aspect_ratio_policy"] = str(rng.choice(["not_larger", "not_smaller"]))
    return model_of("Resize", opset, shape, {"roi": roi, "scales": empty, "sizes": sizes[axes]}, attributes), shape


@pytest.mark.parametrize("coordinates", MODES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_random_sizes_are_resized_as_by_onnx_runtime(mode: str, coordinates: str) -> None:
    rng = np.random.default_rng([SEED, MODES.index(coordinates), len(mode)])
    compared = 0
    for number in range(2000 if FULL else 12):
        model, shape = draw(rng, mode, coordinates, NEAREST[number % 4])
        x = rng.standard_normal(shape).astype(np.float32)
        want = by_runtime(model, x)
        if want is None or not want.size:
            if want is not None:
                with pytest.raises(ValueError, match="it resizes an axis to 0 elements"):
                    Backend.run_model(model, [x])
            continue
        try:
            (got,) = Backend.run_model(model, [x])
        except ValueError as error:  # a policy that keeps the ratio of all axes, batch and channels among them
            assert "along the batch" in str(error) or "it resizes an axis to 0 elements" in str(error)
            continue
        compared += 1
        assert got.shape == want.shape, model
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * max(1.0, np.abs(want).max()), err_msg=str(model))
    assert compared > 5


@pytest.mark.parametrize(("size", "scale"), [(17, 0.5), (17, 2.5), (19, 1.7), (17, 2.0)])
def test_align_corners_maps_the_last_pixel_to_the_last(size: int, scale: float) -> None:
    attributes = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    scales = np.array([1, 1, 1, scale], np.float32)
    model = model_of("Resize", 13, [1, 1, 1, size], {"roi": None, "scales": scales}, attributes)
    new = int(np.floor(size * np.float32(scale)))
    got = load(model).predict(np.arange(size, dtype=np.float32).reshape(1, 1, size, 1))[0, 0, :, 0]
    np.testing.assert_allclose(got, np.arange(new) * (size - 1) / (new - 1), atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "inputs", "reason"),
    [
        ({"coordinate_transformation_mode": "half_pixels"}, {}, "coordinate_transformation_mode is 'half_pixels'"),
        ({"mode": "bilinear"}, {}, "mode is 'bilinear'"),
        ({"nearest_mode": "round"}, {}, "nearest_mode is 'round'"),
        ({"keep_aspect_ratio_policy": "both"}, {"scales": None}, "keep_aspect_ratio_policy is 'both'"),
        ({"coordinate_transformation_mode": "tf_crop_and_resize"}, {}, "its roi has 0 numbers, it must have 8"),
        ({}, {"scales": np.array([1, 1, -2, 1], np.float32)}, "its scales are"),
        ({}, {"scales": np.array([1, 1, np.nan, 1], np.float32)}, "its scales are"),
        ({}, {"scales": np.array([1, 1, 2], np.float32)}, "it has 3 scales for 4 axes"),
        ({}, {"scales": None, "sizes": np.array([1, 1, 0, 4])}, "it resizes an axis to 0 elements from 3"),
        ({}, {"scales": None, "sizes": np.array([1, 1, 1 << 40, 4])}, "as a matrix that resamples"),
        ({}, {"scales": np.array([1, 1, 1e30, 1], np.float32)}, "as a matrix that resamples"),
        ({}, {"scales": None, "sizes": None}, "it has neither scales nor sizes"),
        ({"axes": [2, 2]}, {"scales": np.array([2, 2], np.float32)}, "name one twice"),
    ],
)
def test_what_no_resize_is(attributes: dict[str, Any], inputs: dict[str, Any], reason: str) -> None:
    found = {"roi": None, "scales": np.array([1, 1, 2.5, 2.5], np.float32), "sizes": None, **inputs}
    if found["scales"] is None and found["sizes"] is None and "keep_aspect_ratio_policy" in attributes:
        found["sizes"] = np.array([1, 1, 4, 4])
    with pytest.raises(ValueError, match=reason):
        load(model_of("Resize", 19, [1, 1, 3, 3], found, attributes))
