"""Every block of code of the documentation runs and prints what stands below it; the reference is whole."""

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
NEEDED = {
    "PIL": "from PIL",
    "matplotlib": "plot_|matplotlib",
    "sklearn": "sklearn",
    "tensorboardX": "TensorBoard",
    "onnx": "onnx",
}
# A number may differ by 0.05, a fifth, or one in its last place: other instruction sets round otherwise, and a training
# amplifies it.
CLOSE, SHARE = 0.05, 0.2
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]\d+)?")


def words_and_numbers(text: str) -> tuple[list[str], list[str]]:
    # NumPy pads the numbers of an array to one width, which is another where one of them is whole.
    spaced = _NUMBER.sub("#", text).replace("[", " [ ").replace("]", " ] ")
    return spaced.split(), _NUMBER.findall(text)


def near(number: str, expected: str) -> bool:
    if number.isdigit() and expected.isdigit():  # counts and shapes
        return number == expected
    mantissa, _, exponent = expected.partition("e")
    place = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    margin = max(0.0 if exponent else CLOSE, place, SHARE * abs(float(expected)))
    return abs(float(number) - float(expected)) <= 1.001 * margin


@pytest.mark.filterwarnings("ignore:Creating legend with loc:UserWarning")  # a slow machine's
@pytest.mark.parametrize("page", docs.pages(), ids=lambda page: page.stem)
def test_page(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for module, sign in NEEDED.items():
        if re.search(sign, text):
            pytest.importorskip(module)
    for block in docs.run(page, tmp_path):
        where = f"{page.name}, line {block.line}"
        (words, numbers), (shown_words, shown) = words_and_numbers(block.printed), words_and_numbers(block.shown)
        assert words == shown_words, where
        for number, expected in zip(numbers, shown, strict=True):
            assert near(number, expected), f"{where}: {number} instead of {expected}"
    pictures = re.findall(r"!\[[^\]]+\]\((figures/[^)]+)\)", text)
    assert {f"figures/{path.name}" for path in (tmp_path / "figures").iterdir()} == set(pictures)
    for picture in pictures:
        assert (page.parent / picture).stat().st_size < 100_000


def test_the_tutorial_lists_its_chapters() -> None:
    listed = re.findall(r"^(\d\d-\S+)$", (DOCS / "tutorial" / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == sorted(path.stem for path in (DOCS / "tutorial").glob("[0-9]*.md"))
    drawn = {path.name for path in (DOCS / "tutorial" / "figures").iterdir()}
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "tutorial").glob("*.md"))
    assert drawn == set(re.findall(r"\(figures/([^)]+)\)", pages))


def test_the_reference_names_every_public_name() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
    named = set(re.findall(r"^\.\. auto\w+:: (\S+)$", pages, re.MULTILINE))
    homes = {name: getattr(getattr(st, name), "__module__", "") for name in st.__all__}
    missing = [name for name, home in homes.items() if f"striate.{name}" not in named and home not in named]
    assert missing == []
