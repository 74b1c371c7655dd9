"""The pictures of segmentation and detection: what is drawn, not how it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from striate import viz
from striate.detection import Detections
from striate.metrics import MeanAveragePrecision
from striate.viz._figure import BLUE, GREEN, INK, ORANGE, VERMILLION

rng = np.random.default_rng(3)


def is_png(path: Path) -> bool:
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 2000


def keys(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_segmentation_shows_truth_prediction_and_difference(tmp_path: Path) -> None:
    truth = np.zeros((2, 8, 6), np.uint8)
    truth[:, 2:5, 1:4], truth[:, 6, 0], truth[0, 7, 5] = 1, 2, 255
    found = truth.copy()
    found[found == 255] = 0
    found[0, 2, 1], found[0, 0, 0], found[0, 6, 0] = 0, 2, 1
    figure = viz.plot_segmentation(
        rng.random((2, 8, 6, 1)), truth, found, ["ground", "cell", "wall"], 255, path=tmp_path / "s.png"
    )
    assert is_png(tmp_path / "s.png")
    assert [axes.get_title() for axes in figure.axes[:4]] == ["image", "truth", "prediction", "difference"]
    assert keys(figure) == ["cell", "wall", "missed", "invented", "another class"]
    painted = np.asarray(figure.axes[1].images[1].get_array())
    np.testing.assert_allclose(painted[3, 2, :3], to_rgb(BLUE), atol=0.01)
    np.testing.assert_allclose(painted[6, 0, :3], to_rgb(ORANGE), atol=0.01)
    assert painted[0, 0, 3] == 0 and painted[7, 5, 3] == 0  # background, and not counted
    wrong = np.asarray(figure.axes[3].images[1].get_array())
    for place, color in (((2, 1), VERMILLION), ((0, 0), BLUE), ((6, 0), INK)):
        np.testing.assert_allclose(wrong[place], [*to_rgb(color), 1.0], atol=0.01)
    assert (wrong[..., 3] == 1).sum() == 3
    assert figure.axes[3].get_xlabel() == f"{100 * 44 / 47:.2f} % right"
    assert figure.axes[7].get_xlabel() == "100.00 % right"
    assert figure._suptitle.get_text() == f"Segmentation: {100 * 92 / 95:.2f} % of the pixels shown are right"


def test_segmentation_of_scores_and_without_a_truth() -> None:
    found = rng.integers(0, 3, (2, 5, 5))
    figure = viz.plot_segmentation(rng.random((2, 5, 5, 3)), None, np.eye(3)[found], max_images=1)
    assert [axes.get_title() for axes in figure.axes] == ["image", "prediction"]
    assert keys(figure) == ["1", "2"]
    painted = np.asarray(figure.axes[1].images[1].get_array())
    assert ((painted[..., 3] > 0) == (found[0] > 0)).all()
    figure = viz.plot_segmentation(rng.random((1, 2, 2)), [[[0, 1], [1, 0]]], np.array([[[[-1], [2]], [[3], [-4]]]]))
    assert figure.axes[3].get_xlabel() == "100.00 % right"
    with pytest.raises(
        ValueError, match=r"expects y_true of shape \(1, 2, 2\), one class for each pixel, got \(1, 2, 3\)"
    ):
        viz.plot_segmentation(rng.random((1, 2, 2)), np.zeros((1, 2, 3)), np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="to hold class indices, whole numbers"):
        viz.plot_segmentation(rng.random((1, 2, 2)), None, np.full((1, 2, 2), 0.5))


def rectangles(axes: Any) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_detections_are_solid_and_truths_dashed(tmp_path: Path) -> None:
    images = [rng.random((20, 30)), rng.random((24, 12, 3))]
    found = [
        Detections(np.array([[1, 2, 11, 12], [5, 5, 9, 9]]), np.array([2, 0]), np.array([0.9, 0.1])),
        Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0)),
    ]
    truth = [(np.array([[2, 2, 12, 12]]), np.array([2])), (np.zeros((0, 4)), np.zeros(0))]
    figure = viz.plot_detections(images, found, truth, ["cat", "dog", "tree"], path=tmp_path / "d.png")
    assert is_png(tmp_path / "d.png")
    dashed, solid = rectangles(figure.axes[0])
    assert solid.get_bbox().extents.tolist() == [0.5, 1.5, 10.5, 11.5] and solid.get_linestyle() in ("-", "solid")
    assert dashed.get_bbox().extents.tolist() == [1.5, 1.5, 11.5, 11.5] and dashed.get_linestyle() not in ("-", "solid")
    assert to_hex(solid.get_edgecolor()) == to_hex(dashed.get_edgecolor()) == GREEN.lower()
    assert [text.get_text() for text in figure.axes[0].texts] == ["tree 0.90"]
    assert not rectangles(figure.axes[1]) and keys(figure) == ["tree", "found", "true"]
    assert len(rectangles(viz.plot_detections(images, found, score_threshold=0.0).axes[0])) == 2
    assert len(rectangles(viz.plot_detections(np.array(images[:1]), None, truth[:1]).axes[0])) == 1
    for arguments, message in [
        ((images, found[:1]), "as many predictions as images, 2, got 1"),
        ((images, None), "needs predictions, targets or both"),
        ((images, truth), r"expects \(boxes, labels, scores\) an image"),
        ((images, None, [(np.zeros((2, 4)), [0])] * 2), "one label and one score for each box, got 2, 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            viz.plot_detections(*arguments)


def test_labels_of_detections_do_not_cover_one_another() -> None:
    boxes = np.array([[10, 40, 30, 60], [12, 41, 32, 61], [60, 40, 80, 60]], np.float32)
    found = [Detections(boxes, np.zeros(3, np.int64), np.array([0.5, 0.9, 0.4]))]
    axes = viz.plot_detections([rng.random((100, 100))], found, class_names=["cell"]).axes[0]
    assert len(rectangles(axes)) == 3
    assert sorted(text.get_text() for text in axes.texts) == ["cell 0.40", "cell 0.90"]
    corners = 10.0 * np.stack(np.divmod(np.arange(25), 5), axis=1) + 20
    many = [Detections(np.concatenate([corners, corners + 8], axis=1), np.zeros(25, np.int64), np.full(25, 0.5))]
    assert not viz.plot_detections([rng.random((100, 100))], many, class_names=["cell"]).axes[0].texts


def test_precision_and_recall_of_a_metric(tmp_path: Path) -> None:
    metric = MeanAveragePrecision(num_classes=3)
    boxes = rng.uniform(0, 50, (6, 4))
    boxes[:, 2:] += boxes[:, :2]
    labels = np.array([0, 0, 0, 2, 2, 2])
    metric.update_state([(boxes, labels)], [(boxes[1:], labels[1:], rng.random(5))])
    recall, precision = metric.curves(0.5)
    figure = viz.plot_precision_recall(recall, precision, ["cat", "dog", "tree"], path=tmp_path / "p.png")
    assert is_png(tmp_path / "p.png")
    axes = figure.axes[0]
    assert len(axes.lines) == 2  # no object is a dog
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), precision[2])
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [f"cat  {precision[0].mean():.3f}", "tree  1.000"]
    assert axes.get_title() == f"Precision and recall: mean {np.nanmean(precision):.3f}"
    many = viz.plot_precision_recall(recall, np.tile(precision[0], (12, 1))).axes[0]
    assert len(many.lines) == 13 and [t.get_text() for t in many.get_legend().get_texts()] == ["mean of the classes"]
    assert "no objects" in viz.plot_precision_recall(recall, np.full((1, 101), np.nan)).axes[0].get_title()
    with pytest.raises(ValueError, match=r"got \(101,\) and \(3, 100\)"):
        viz.plot_precision_recall(recall, precision[:, :100])
