"""Every block of code of the documentation runs and prints what is below it; the reference is whole."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import striate as st

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("docs_run", DOCS / "run.py")
assert _spec is not None and _spec.loader is not None
docs = importlib.util.module_from_spec(_spec)
sys.modules["docs_run"] = docs
_spec.loader.exec_module(docs)
# Pictures that a program of its own takes, as it names them.
SCREENSHOTS = re.findall(r'\("(report[\w-]*)"', (DOCS / "screenshots.py").read_text(encoding="utf-8"))
NEEDED = {
    "PIL": "from PIL",
    "matplotlib": "plot_|matplotlib",
    "sklearn": "sklearn",
    "tensorboardX": "TensorBoard",
    "onnx": "onnx",
    "pydicom": "pydicom",
    "click": r"```console\n\$ striate",
    "mpi4py": r"```console\n\$ mpirun",
    "optuna": "^import optuna",
    "dask.distributed": "^from dask",
}


@pytest.mark.filterwarnings("ignore:Creating legend with loc:UserWarning")  # a slow machine's
@pytest.mark.parametrize("page", docs.pages(), ids=lambda page: page.stem)
def test_page(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for module, sign in NEEDED.items():
        if re.search(sign, text, re.MULTILINE):
            pytest.importorskip(module)
    for block in docs.run(page, tmp_path):
        assert docs.difference(block.printed, block.shown) == "", f"{page.name}, line {block.line}"
    pictures = re.findall(r"!\[[^\]]+\]\((figures/[^)]+\.png)\)", text)
    taken = {f"figures/{name}.png" for name in SCREENSHOTS}
    assert {f"figures/{path.name}" for path in (tmp_path / "figures").iterdir()} == set(pictures) - taken
    for picture in pictures:
        assert (page.parent / picture).stat().st_size < 100_000


def test_code_fits_the_width_of_a_page() -> None:
    pages = [path for path in DOCS.rglob("*.md") if path.name != "benchmarks.md"]
    assert len(pages) > 30
    wide = []
    for path in pages:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:python|cpp|c|cmake)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            wide += [f"{path.name}: {line}" for line in block.splitlines() if len(line) > 88]
    assert wide == []


def test_output_that_differs_is_found() -> None:
    assert docs.difference("loss 0.51\n", "loss 0.50\n") == ""
    assert docs.difference("loss 0.7\n", "loss 0.5\n") == "printed 0.7, shown 0.5"
    assert docs.difference("3 classes\n", "4 classes\n") == "printed 3, shown 4"
    assert docs.difference("other\n", "words\n") != ""
    assert docs.difference("12.5 s\n", "0.1 s\n") == ""


def test_dots_replace_lines() -> None:
    assert docs.difference("a\nb\nc\n", "a\n...\n") == ""
    assert docs.difference("a\nb\nc\n", "...\nc\n") == ""
    assert docs.difference("a\nb\nc\n", "b\n...\n") != ""
    assert docs.shortened("a\nb\nc\nd\n", "x\n...\ny\n") == "a\n...\nd\n"


def test_the_tutorial_lists_its_chapters() -> None:
    listed = re.findall(r"^(\d\d-\S+)$", (DOCS / "tutorial" / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == sorted(path.stem for path in (DOCS / "tutorial").glob("[0-9]*.md"))
    drawn = {path.name for path in (DOCS / "tutorial" / "figures").iterdir()}
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "tutorial").glob("*.md"))
    assert drawn == set(re.findall(r"\(figures/([^)]+)\)", pages))


def test_the_reference_names_every_public_name() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
    named = set(re.findall(r"^\.\. (?:auto\w+|members):: (\S+)$", pages, re.MULTILINE))
    homes = {name: getattr(getattr(st, name), "__module__", "") for name in st.__all__}
    missing = [name for name, home in homes.items() if f"striate.{name}" not in named and home not in named]
    assert missing == []
