"""Reports of small networks for the three tasks, without training."""

from __future__ import annotations

from typing import Any

import numpy as np

import striate as st
from striate.cli._assess import Assessment
from striate.cli._assess_boxes import BoxAssessment
from striate.cli._assess_masks import MaskAssessment
from striate.cli._boxes import BoxPart
from striate.cli._dataset import Part
from striate.cli._tasks import TASKS
from striate.cli.report import report_of

SIDE = 32
NAMES = ["<b>cat</b>", "dog & fox", "</script>"]  # nothing in names is markup
HISTORY = {"loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.6, float("nan")], "learning_rate": [0.1, 0.05, 0.0]}


def result_of(task: str, count: int = 24) -> tuple[Any, Assessment | MaskAssessment | BoxAssessment]:
    """A network that is not trained, and how good it is on random pictures."""
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (count, SIDE, SIDE, 3), dtype=np.uint8)
    files = [f"/data/{number}<i>.png" for number in range(count)]
    part: Part
    if task == "classify":
        model: Any = st.models.lenet((SIDE, SIDE, 3), 3, rescale=1 / 255, seed=1)
        part = Part(images, random.integers(0, 3, count), files)
    elif task == "segment":
        model = st.models.unet((SIDE, SIDE, 3), 3, base=4, depth=2, rescale=1 / 255, seed=1)
        part = Part(images, random.integers(0, 3, (count, SIDE, SIDE)).astype(np.uint8), files)
    else:
        model = st.models.detector((SIDE, SIDE, 3), 3, base=4, rescale=1 / 255, seed=1)
        state = model.state_dict()
        for name, value in state.items():
            if name.endswith("boxes/bias"):
                value[4] = 2.0  # there are objects everywhere
        model.load_state_dict(state)
        corners = random.uniform(0, 20, (count, 2, 2)).astype(np.float32)
        boxes = np.concatenate([corners, corners + random.uniform(6, 12, (count, 2, 2)).astype(np.float32)], axis=2)
        labels = [(one, random.integers(0, 3, 2), np.array([False, number == 0])) for number, one in enumerate(boxes)]
        marks = [{"crowds": one[2], "ignored": one[2], "areas": np.full(2, 64.0)} for one in labels]
        part = BoxPart(images, labels, marks, files)
    return model, TASKS[task].assess(model, part, NAMES, 16)  # type: ignore[return-value]


def content_of(task: str) -> dict[str, Any]:
    """The content of a report."""
    model, result = result_of(task)
    kernels = [layer.name for layer in model.layers if any(w.ndim > 1 for w in layer.get_weights())]
    figures = {
        "data": "/data",
        "model": "net",
        "part": "test",
        "epochs": 3,
        "best_epoch": 2,
        "seconds": 3.0,
        "seconds_per_epoch": 1.0,
        "skipped": [],
    }
    return report_of(
        name="run",
        task=task,
        settings={"batch_size": 8, "command": "striate train /data --task " + task},
        figures=figures,
        history=HISTORY,
        class_names=NAMES,
        model=model,
        result=result,
        norms={name: [1.0 + place, 0.5, 0.25] for place, name in enumerate(kernels)},
        notes=["deep pictures: 0 is black"],
    )
