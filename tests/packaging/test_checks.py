"""The checks of texts find what they are for, and the versions of tools are named in one place."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


readme, words, links, record = (
    script(path)
    for path in (
        "packaging/check_readme.py",
        "packaging/check_words.py",
        "packaging/check_links.py",
        "benchmarks/record.py",
    )
)
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_length_links_commands_and_figures_of_the_readme() -> None:
    assert readme.check_length(TEXT) == []
    assert links.problems(ROOT / "README.md") == []
    assert readme.check_commands(TEXT) == []
    assert readme.check_figures(TEXT) == []


def test_pictures_of_the_readme() -> None:
    pytest.importorskip("matplotlib")
    assert readme.check_pictures(TEXT) == []


def test_a_longer_readme_is_found() -> None:
    assert readme.check_length("word " * 700) == []
    assert readme.check_length("word " * 701) == ["it has 701 words; at most 700 are allowed"]
    table = "| a |\n|---|\n| 1 |\n"
    assert readme.check_length(table) == [] and len(readme.check_length(f"{table}\n{table}")) == 1


def test_commands_that_do_not_install_are_found() -> None:
    assert readme.check_commands(TEXT.replace('".[test]"', '".[tests]"'))
    assert readme.check_commands(TEXT.replace(".venv/bin/pytest", ".venv/bin/pylint"))
    with pytest.raises(SystemExit, match="train command"):
        readme.check_commands(TEXT.replace("<!-- train command -->", ""))


def test_figures_that_were_not_measured_are_found() -> None:
    changed = TEXT.replace("| 1.67 | 1.26 | 1.06 |", "| 1.67 | 2.26 | 1.06 |")
    assert readme.check_figures(changed) == [
        "benchmarks: the figures of MobileNetV2, 224×224 are in no file of benchmarks/results"
    ]


def test_an_example_that_prints_something_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "README.md"
    page.write_text("```python\nprint('loss', 1.5)\n```\n\n```text\nloss 3.0\n```\n", encoding="utf-8")
    monkeypatch.setattr(readme, "README", page)
    runner = script("docs/run.py")
    assert readme.check_example(runner) == ["quick example: printed 1.5, shown 3.0"]
    page.write_text("```python\nprint('loss', 1.5)\n```\n\n```text\nloss 1.51\n```\n", encoding="utf-8")
    assert readme.check_example(runner) == []


@pytest.mark.parametrize(
    "line", ["whoever reads it", "it lies there", "mend_boxes(x)", "it stands here", "is mended", "Neighbours", "LIE"]
)
def test_words_that_are_not_used_are_found(line: str) -> None:
    assert len(words.problems("page.md", line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "nearest neighbour",
        "nearest_neighbor",
        "KNeighborsClassifier",
        "recommended",
        "standard",
        "outstanding",
        "client",
    ],
)
def test_other_words_are_not(line: str) -> None:
    assert words.problems("page.md", line) == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# One heading\n", encoding="utf-8")
    page.write_text("[a](other.md) [b](other.md#one-heading) `[c](d)`\n```\n[e](f)\n```\n", encoding="utf-8")
    assert links.problems(page) == []
    page.write_text("[a](none.md) [b](other.md#two) ![c](none.png) [d](http://host)\n", encoding="utf-8")
    assert len(links.problems(page)) == 4


def test_links_of_all_pages() -> None:
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *ROOT.glob("cpp/**/*.md"), *ROOT.glob("docs/**/*.md")]
    assert [problem for page in pages for problem in links.problems(page) if "third_party" not in str(page)] == []


def test_versions_of_tools_are_named_once() -> None:
    pinned = [ROOT / ".ci/run", ROOT / ".pre-commit-config.yaml", ROOT / "noxfile.py", ROOT / ".readthedocs.yaml"]
    pinned += (ROOT / ".github" / "workflows").glob("*.yml")
    for path in filter(Path.is_file, pinned):  # a source distribution has no workflows
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\w(==|>=|~=)\d", text), path
        assert "rev:" not in text and "additional_dependencies" not in text, path
    names = re.findall(r"^([\w-]+)==", (ROOT / "packaging" / "tools.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert names == sorted(set(names)) and {"ruff", "mypy", "clang-format", "sphinx"} <= set(names)


def test_the_plugin_has_the_version_of_the_package() -> None:
    whole, plugin = (
        (ROOT / path).read_text(encoding="utf-8") for path in ("pyproject.toml", "packaging/cuda/pyproject.toml")
    )
    found = re.search(r'^version = "([^"]+)"', whole, re.MULTILINE)
    assert found is not None
    assert f'\nversion = "{found[1]}"\n' in plugin
    assert f'dependencies = ["striate=={found[1]}"]' in plugin
    assert f'cuda = ["striate-cuda=={found[1]}"]' in whole


def test_the_page_of_benchmarks_is_that_of_the_results() -> None:
    def without_state(text: str) -> list[str]:
        return [line for line in text.splitlines() if record.STATE not in line]

    assert without_state(record.PAGE.read_text(encoding="utf-8")) == without_state(record.page())


def test_tables_are_read_as_they_are_written() -> None:
    table = [["network", "ms"], ["lenet", "1.5"], ["vgg", ""]]
    text = f"striate 1.0\n\n{record.markdown(table)}\n\nend\n{record.markdown(table[:2])}"
    assert record.tables(text) == [table, table[:2]]
