"""A notebook that is executed without ipywidgets and tqdm: figures are pictures, a fit is one bar, stderr is empty."""

from __future__ import annotations

import asyncio
import copy
import pickle
import sys
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel")
pytest.importorskip("matplotlib")

CELLS = (
    "import sys; sys.modules['ipywidgets'] = sys.modules['tqdm'] = None\n"
    "import striate as st\nfrom striate import viz\n"
    "(x, y), (x_test, y_test) = st.data.load_digits()\n"
    "flow = st.callbacks.GradientFlow()\n"
    "model = st.models.lenet((8, 8, 1), 10, rescale=1 / 16, seed=0)\n"
    "model.compile('adam', st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=['accuracy'])",
    "history = model.fit(x, y, epochs=4, validation_data=(x_test, y_test), callbacks=[flow])",
    "viz.plot_history(history)",
    "viz.plot_gradient_flow(flow)",
    "scores = model.evaluate(x_test, y_test)",
    "found = model.predict(x_test)",
)


def executed(cells: tuple[str, ...]) -> list[list[Any]]:
    """The outputs of each cell."""
    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


@pytest.mark.filterwarnings("ignore")  # of the libraries that run notebooks
def test_figures_bars_and_no_warnings() -> None:
    outputs = executed(CELLS)
    for one in (output for cell in outputs for output in cell):
        assert one.output_type in ("display_data", "execute_result"), one
    (bar,) = outputs[1]
    assert 'value="4" max="4"' in bar.data["text/html"] and "epoch 4/4  loss " in bar.data["text/plain"]
    for figure in outputs[2], outputs[3]:
        assert figure[0].data["image/png"].startswith("iVBOR")
    (evaluation,) = outputs[4]
    assert "evaluate  loss " in evaluation.data["text/plain"]
    assert [one.data.get("text/html") for one in outputs[5]] in ([], [""])


def test_a_figure_shows_itself_and_is_matplotlibs() -> None:
    from matplotlib.figure import Figure

    from striate import viz

    figure: Any = viz.plot_history({"loss": [1.0, 0.5]})
    assert isinstance(figure, Figure) and figure._repr_png_()[:4] == b"\x89PNG"
    for other in (pickle.loads(pickle.dumps(figure)), copy.deepcopy(figure)):
        assert isinstance(other, Figure) and len(other.axes) == len(figure.axes)
