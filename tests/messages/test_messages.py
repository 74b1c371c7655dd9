"""The lists of messages are those of the code, and messages are written as CONTRIBUTING.md says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("collect_messages", HERE / "collect.py")
assert _spec is not None and _spec.loader is not None
collect = importlib.util.module_from_spec(_spec)
sys.modules["collect_messages"] = collect
_spec.loader.exec_module(collect)
LISTED = [line for path in (HERE / "python.txt", HERE / "cpp.txt") for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", ["python.txt", "cpp.txt"])
def test_the_list_is_complete(name: str) -> None:
    listed = (HERE / name).read_text(encoding="utf-8").splitlines()
    found = collect.lists()[HERE / name].splitlines()
    missing, gone = sorted(set(found) - set(listed)), sorted(set(listed) - set(found))
    assert not missing and not gone, "read the new messages as a stranger, then: python tests/messages/collect.py"


def test_messages_use_plain_words() -> None:
    assert len(LISTED) > 900
    idioms = r"\b(nobody|whose \w+ only|but for|speaks? of|makes no sense|one an? \w+|is no (?!longer)\w+)\b"
    assert [line for line in LISTED if re.search(idioms, line) and "there is no" not in line.lower()] == []


def test_messages_end_without_a_full_stop_and_have_no_exclamation_mark() -> None:
    assert [line for line in LISTED if re.search(r"[^.]\.$|!$", line)] == []
