"""The pictures: what is drawn, not how it looks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from striate import viz
from striate.viz._figure import VERMILLION, as_images

rng = np.random.default_rng(7)


def texts(figure: Figure) -> list[str]:
    """Everything written inside the axes of a figure."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def is_png(path: Path) -> bool:
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 2000


def test_history_draws_training_and_validation_of_each_metric(tmp_path: Path) -> None:
    history = {
        "loss": [1.0, 0.5, 0.3],
        "accuracy": [0.5, 0.8, 0.9],
        "val_loss": [1.1, 0.4, 0.6],
        "val_accuracy": [0.4, 0.85, 0.8],
        "epoch": [0, 1, 2],
    }
    figure = viz.plot_history(SimpleNamespace(history=history), path=tmp_path / "curves.png")
    assert is_png(tmp_path / "curves.png")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]
    loss, accuracy = figure.axes
    assert loss.lines[0].get_ydata().tolist() == [1.0, 0.5, 0.3]
    assert loss.lines[1].get_ydata().tolist() == [1.1, 0.4, 0.6]
    assert loss.lines[1].get_xdata().tolist() == [1, 2, 3]
    # The best epoch is the lowest loss and the highest accuracy.
    assert (loss.lines[2].get_xdata()[0], accuracy.lines[2].get_xdata()[0]) == (2, 2)
    assert texts(figure) == ["0.4", "0.85"]


def test_history_without_validation_and_with_a_learning_rate() -> None:
    figure = viz.plot_history({"learning_rate": [1e-3, 1e-4], "loss": [0.2, 0.1]})
    assert [axes.get_title() for axes in figure.axes] == ["loss", "learning rate"]
    assert figure.axes[1].get_ylabel() == "step size"
    assert figure.axes[0].get_yscale() == "linear"
    assert viz.plot_history({"loss": [2.0, 0.01], "accuracy": [0.01, 0.9]}).axes[0].get_yscale() == "log"
    assert figure.axes[0].get_legend() is None


def test_history_of_a_metric_with_a_value_a_class() -> None:
    figure = viz.plot_history({"f1": [np.array([0.1, 0.2, 0.3]), np.array([0.4, 0.5, 0.6])]})
    (axes,) = figure.axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]


def test_history_with_nan_still_draws() -> None:
    figure = viz.plot_history({"loss": [1.0, float("nan")], "val_loss": [float("nan"), float("nan")]})
    figure.canvas.draw()
    assert texts(figure) == []


@pytest.mark.parametrize(("history", "error"), [({}, ValueError), ({"loss": []}, ValueError), ([1.0], TypeError)])
def test_history_refuses_nothing(history: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="plot_history"):
        viz.plot_history(history)


def test_confusion_matrix_writes_counts_and_share(tmp_path: Path) -> None:
    figure = viz.plot_confusion_matrix([[8, 2], [0, 10]], ["cat", "dog"], path=tmp_path / "cm.png")
    assert is_png(tmp_path / "cm.png")
    axes = figure.axes[0]
    assert sorted(texts(figure)) == ["10", "2", "8"]
    assert axes.get_title() == "Confusion matrix: 18 of 20 right (90.00 %)"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.images[0].get_array().tolist() == [[80.0, 20.0], [0.0, 100.0]]


def test_confusion_matrix_normalised_and_with_an_absent_class() -> None:
    figure = viz.plot_confusion_matrix(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 5]]), normalize=True)
    assert sorted(texts(figure)) == ["100.0", "25.0", "75.0"]


def test_confusion_matrix_of_many_classes_has_no_numbers() -> None:
    assert texts(viz.plot_confusion_matrix(np.eye(40, dtype=np.int64))) == []


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), np.ones(4), np.zeros((0, 0)), [[1, -1], [0, 1]], [[np.nan, 1], [0, 1]]]
)
def test_confusion_matrix_refuses_what_is_none(matrix: Any) -> None:
    with pytest.raises(ValueError, match="plot_confusion_matrix expects"):
        viz.plot_confusion_matrix(matrix)


def test_confusion_matrix_needs_all_names() -> None:
    with pytest.raises(ValueError, match="needs a name for each of the 2 classes, got 1"):
        viz.plot_confusion_matrix(np.eye(2), ["cat"])


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 8, 8, 1), (5, 8, 6, 3)])
def test_predictions_mark_the_mistakes(shape: tuple[int, ...], tmp_path: Path) -> None:
    images = rng.integers(0, 255, shape, dtype=np.uint8)
    scores = np.full((5, 3), 0.1)
    scores[np.arange(5), [0, 1, 2, 0, 1]] = 0.8
    figure = viz.plot_predictions(
        images, [0, 1, 2, 0, 2], [0, 1, 2, 0, 1], ["a", "b", "c"], scores, path=tmp_path / "predictions.png"
    )
    assert is_png(tmp_path / "predictions.png")
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels[:4] == ["a  80 %", "b  80 %", "c  80 %", "a  80 %"]
    assert labels[4] == "✗ b  80 %\ntrue: c"
    frames = [axes.spines["left"].get_visible() for axes in figure.axes]
    assert frames == [False] * 4 + [True]
    assert to_hex(figure.axes[4].spines["left"].get_edgecolor()).upper() == VERMILLION
    assert figure.get_suptitle() == "Predictions: 4 of the 5 shown are right"


def test_predictions_on_pictures_of_different_sizes() -> None:
    images = [np.zeros((4, 6), np.uint8), np.zeros((9, 3, 3), np.uint8)]
    figure = viz.plot_predictions(images, None, [0, 1])
    assert [axes.images[0].get_array().shape[:2] for axes in figure.axes] == [(4, 6), (9, 3)]


def test_predictions_without_truth_and_at_most_so_many() -> None:
    figure = viz.plot_predictions(np.zeros((9, 4, 4)), None, np.arange(9), max_images=4)
    assert [axes.get_xlabel() for axes in figure.axes] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 3)), [0, 0], [0, 0]), r"expects images .* got \(2, 3\)"),
        ((np.zeros((0, 3, 3)), [], []), "at least one image"),
        ((np.zeros((2, 3, 3)), [0], [0, 0]), r"y_true of shape \(2,\), one class for each image, got \(1,\)"),
        ((np.zeros((2, 3, 3)), [0, 0], [0.5, 0]), "y_pred to hold class indices"),
        ((np.zeros((2, 3, 3)), [0, 0], [0, 5], ["a", "b"]), "each of the 6 classes, got 2"),
        ((np.zeros((2, 3, 3)), [0, 0], [0, 1], None, np.zeros((2, 1))), r"scores of shape \(2,\) or \(2, classes\)"),
    ],
)
def test_predictions_say_what_does_not_fit(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viz.plot_predictions(*arguments)


def test_feature_maps_row_by_row(tmp_path: Path) -> None:
    maps = {
        "conv2d": rng.normal(size=(1, 6, 6, 20)).astype(np.float32),
        "relu": np.abs(rng.normal(size=(6, 6, 3))),
        "dense": rng.normal(size=(1, 10)),
    }
    figure = viz.plot_feature_maps(maps, image=rng.random((6, 6, 1)), path=tmp_path / "maps.png")
    assert is_png(tmp_path / "maps.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "conv2d    6 × 6 pixels, 16 of 20 channels" in titles
    assert "relu    6 × 6 pixels, 3 channels" in titles
    assert "dense    10 units" in titles
    by_title = {axes.get_title(loc="left"): axes for axes in figure.axes}
    signed = by_title["conv2d    6 × 6 pixels, 16 of 20 channels"].images[0]
    assert signed.get_clim()[0] == -signed.get_clim()[1]
    mosaic = np.ma.filled(by_title["relu    6 × 6 pixels, 3 channels"].images[0].get_array(), np.nan)
    factor = 32 // 6
    assert mosaic.shape == (6 * factor, 16 * 6 * factor + 15)  # the columns of the layer with the most channels
    assert np.isnan(mosaic[:, 3 * (6 * factor + 1) :]).all()
    np.testing.assert_allclose(mosaic[::factor, 0 : 6 * factor : factor], maps["relu"][:, :, 0])
    assert np.isnan(mosaic[:, 6 * factor]).all()
    bars = by_title["dense    10 units"].patches
    np.testing.assert_allclose([bar.get_height() for bar in bars if isinstance(bar, Rectangle)], maps["dense"][0])


def test_the_bars_of_logits_have_the_names_of_classes() -> None:
    maps = {"relu": rng.normal(size=(1, 5)), "logits": rng.normal(size=(1, 3))}
    relu, logits = viz.plot_feature_maps(maps, class_names=["cat", "dog", "a very long name"]).axes
    assert [label.get_text() for label in logits.get_xticklabels()] == ["cat", "dog", "a very long…"]
    assert [label.get_text() for label in relu.get_xticklabels()] == list("01234")


def test_feature_maps_that_are_flat_or_dead_still_draw() -> None:
    viz.plot_feature_maps({"relu": np.zeros((1, 4, 4, 2)), "nan": np.full((1, 4, 4, 2), np.nan)}).canvas.draw()


@pytest.mark.parametrize(
    ("maps", "message"), [({}, "at least one layer"), ({"a": np.zeros((2, 2, 2, 2, 2))}, "expects 'a' as")]
)
def test_feature_maps_refuse_other_ranks(maps: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viz.plot_feature_maps(maps)


def test_filters_are_in_rows_of_inputs(tmp_path: Path) -> None:
    kernel = rng.normal(size=(3, 5, 2, 4))
    figure = viz.plot_filters(kernel, path=tmp_path / "filters.png")
    assert is_png(tmp_path / "filters.png")
    image = figure.axes[0].images[0]
    assert isinstance(image, AxesImage)
    mosaic = np.ma.filled(image.get_array(), np.nan)
    assert mosaic.shape == (2 * 4 - 1, 4 * 6 - 1)
    np.testing.assert_allclose(mosaic[4:7, 6:11], kernel[:, :, 1, 1])
    assert figure.axes[0].get_title() == "Filters: 3 × 5, 2 → 4 channels"


def test_filters_of_a_model_are_looked_up() -> None:
    dense = SimpleNamespace(name="dense", get_weights=lambda: [np.zeros((3, 2))])
    conv = SimpleNamespace(name="conv2d", get_weights=lambda: [rng.normal(size=(3, 3, 1, 8)), np.zeros(8)])
    layers = {"dense": dense, "conv2d": conv}
    model = SimpleNamespace(layers=[dense, conv], get_layer=layers.__getitem__)
    assert viz.plot_filters(model).axes[0].get_title() == "Filters of conv2d: 3 × 3, 1 → 8 channels"
    with pytest.raises(ValueError, match="layer 'dense' has no kernel"):
        viz.plot_filters(model, layer="dense")
    with pytest.raises(ValueError, match=r"expects a kernel \(kh, kw, in, out\)"):
        viz.plot_filters(np.zeros((3, 3)))


def test_gradient_flow_is_logarithmic_with_a_line_an_epoch(tmp_path: Path) -> None:
    norms = {"conv2d": [1e-6, 1e-5, 1e-4], "dense": [0.1, 0.2, 0.0]}
    figure = viz.plot_gradient_flow(SimpleNamespace(norms=norms), path=tmp_path / "flow.png")
    assert is_png(tmp_path / "flow.png")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["conv2d", "dense"]
    lines = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert [float(line.get_xdata()[0]) for line in lines] == [1e-6, 1e-5, 1e-4]
    assert np.isnan(lines[2].get_xdata()[1])
    # A gradient of exactly zero is marked at the left edge of the dense layer's row.
    (zero,) = [line for line in axes.lines if line.get_marker() == "<"]
    assert zero.get_ydata().tolist() == [1]


def test_gradient_flow_shows_the_first_the_middle_and_the_last_epoch() -> None:
    figure = viz.plot_gradient_flow({"a": list(range(1, 10)), "b": [1.0] * 9})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["epoch 1", "epoch 5", "epoch 9"]
    assert not viz.plot_gradient_flow({"a": [1.0], "b": [1.0]}).legends


def test_gradient_flow_compares_networks_on_one_scale() -> None:
    figure = viz.plot_gradient_flow({"sigmoid": {"a": [1e-9]}, "ReLU": SimpleNamespace(norms={"a": [1.0], "b": [0.5]})})
    first, second = figure.axes[:2]
    assert (first.get_title(), second.get_title()) == ("sigmoid", "ReLU")
    assert first.get_xlim() == second.get_xlim()


@pytest.mark.parametrize(
    ("norms", "error", "message"),
    [
        ({}, ValueError, "found no layer"),
        ({"a": [1.0], "b": [1.0, 2.0]}, ValueError, "one norm for each epoch for every layer"),
        ({"a": []}, ValueError, "one norm for each epoch"),
        (3, TypeError, "expects a GradientFlow"),
    ],
)
def test_gradient_flow_says_what_does_not_fit(norms: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        viz.plot_gradient_flow(norms)


FIELDS = {"conv2d": (3, 1), "relu": (3, 1), "pool": (4, 2), "conv2d_1": ((8, 8), (2, 2))}


@pytest.mark.parametrize(
    "data",
    [
        FIELDS,
        [(name, *field) for name, field in FIELDS.items()],
        {name: {"size": size, "jump": jump} for name, (size, jump) in FIELDS.items()},
        SimpleNamespace(
            layers=[SimpleNamespace(name=name) for name in FIELDS],
            receptive_field=FIELDS.__getitem__,
            input_shape=(None, 6, 10, 1),
        ),
    ],
)
def test_receptive_field_shows_layers_that_see_further(data: Any, tmp_path: Path) -> None:
    figure = viz.plot_receptive_field(data, path=tmp_path / "field.png")
    assert is_png(tmp_path / "field.png")
    squares, bars = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["conv2d", "pool", "conv2d_1"]
    assert [bar.get_width() for bar in bars.patches if isinstance(bar, Rectangle)] == [3.0, 4.0, 8.0]
    assert "8 px, jump 2" in texts(figure)
    sides = [patch.get_width() for patch in squares.patches if isinstance(patch, Rectangle)]
    assert sides[-3:] == [8.0, 4.0, 3.0]
    if hasattr(data, "input_shape"):
        assert sides[0] == 10.0


def test_receptive_field_is_centred_on_the_image() -> None:
    figure = viz.plot_receptive_field({"conv2d": (3, 1)}, image=np.zeros((9, 9)))
    square = figure.axes[0].patches[-1]
    assert isinstance(square, Rectangle)
    # Pixel 4 is the middle of 0..8, its edges at 3.5 and 4.5: a field of 3 reaches from 2.5 to 5.5.
    assert (square.get_x(), square.get_y(), square.get_width()) == (2.5, 2.5, 3.0)


@pytest.mark.parametrize(("data", "error"), [({}, ValueError), (4, TypeError)])
def test_receptive_field_refuses_nothing(data: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="plot_receptive_field"):
        viz.plot_receptive_field(data)


def test_grad_cam_covers_the_whole_image(tmp_path: Path) -> None:
    figure = viz.plot_grad_cam(rng.random((1, 16, 12, 1)), rng.random((1, 4, 3)), "seven", path=tmp_path / "cam.png")
    assert is_png(tmp_path / "cam.png")
    assert figure.get_suptitle() == "Grad-CAM for “seven”"
    overlay = figure.axes[2].images[1]
    assert list(overlay.get_extent()) == [-0.5, 11.5, 15.5, -0.5]
    assert np.shape(overlay.get_array()) == (4, 3)


@pytest.mark.parametrize(
    ("image", "heatmap", "message"),
    [
        (np.zeros((4, 4)), np.zeros((2, 2, 3)), r"expects a heat map \(h, w\), got \(2, 2, 3\)"),
        (np.zeros((4, 4, 5)), np.zeros((2, 2)), "expects one image"),
    ],
)
def test_grad_cam_says_what_does_not_fit(image: Any, heatmap: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        viz.plot_grad_cam(image, heatmap)


@pytest.mark.parametrize(
    ("images", "low", "high"),
    [
        (np.array([[[0, 16]]], np.uint8), 0.0, 16.0),
        (np.array([[[0.2, 0.7]]]), 0.0, 1.0),
        (np.array([[[-1.0, 3.0]]]), -1.0, 3.0),
        (np.array([[[[1, 2, 3]]]], np.uint8), 0.0, 255.0),
        (np.array([[[True, False]]]), 0.0, 1.0),
        (np.zeros((1, 1, 1), np.uint8), 0.0, 1.0),
    ],
)
def test_images_are_scaled_by_what_they_are(images: Any, low: float, high: float) -> None:
    assert as_images(images, "test")[1:] == (low, high)


def test_pyplot_and_its_state_are_left_alone() -> None:
    code = (
        "import sys, striate.viz as viz; assert 'matplotlib' not in sys.modules;"
        "viz.plot_history({'loss': [1.0, 0.5]}).canvas.draw();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

    monkeypatch.setattr("striate._extras.importlib.import_module", nowhere)
    with pytest.raises(
        ImportError, match=r"striate\.viz\.plot_history needs matplotlib: pip install 'striate\[plot\]'"
    ):
        viz.plot_history({"loss": [1.0]})
