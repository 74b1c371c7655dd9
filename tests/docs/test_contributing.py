"""CONTRIBUTING.md names files that are there, or that its own blocks make; its Python is Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))


def test_files_that_it_names_exist() -> None:
    named = set(re.findall(r"`((?:benchmarks|cpp|docs|packaging|python|tests)/[^`\s]+)`", TEXT))
    assert len(named) > 30
    made = {*BLOCKS, *(str(Path(block).parent) + "/" for block in BLOCKS)}
    assert [path for path in sorted(named) if path not in made and not list(ROOT.glob(path.rstrip("/")))] == []


def test_python_parses() -> None:
    code = {name: text for name, text in BLOCKS.items() if name.endswith(".py")}
    assert len(code) == 7
    for name, text in code.items():
        assert ast.parse(text, name).body
