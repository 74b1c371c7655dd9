"""Pictures of a network's training, mistakes and insides.

Every function returns a matplotlib ``Figure`` and, given ``path``, also writes it there (the ending chooses the format:
``.png``, ``.svg``, ``.pdf``). The figures are built through matplotlib's object-oriented interface: no display is
needed, pyplot's global state is neither read nor changed, and a notebook shows the returned figure as it shows any
other.

matplotlib is imported when the first picture is drawn; it comes with ``pip install 'striate[plot]'``.
"""

from striate.viz.confusion import plot_confusion_matrix
from striate.viz.detection import plot_detections
from striate.viz.features import plot_feature_maps, plot_filters
from striate.viz.gradients import plot_gradient_flow
from striate.viz.heatmap import plot_grad_cam
from striate.viz.history import plot_history
from striate.viz.precision_recall import plot_precision_recall
from striate.viz.predictions import plot_predictions
from striate.viz.receptive import plot_receptive_field
from striate.viz.segmentation import plot_segmentation

__all__ = [
    "plot_confusion_matrix",
    "plot_detections",
    "plot_feature_maps",
    "plot_filters",
    "plot_grad_cam",
    "plot_gradient_flow",
    "plot_history",
    "plot_precision_recall",
    "plot_predictions",
    "plot_receptive_field",
    "plot_segmentation",
]
