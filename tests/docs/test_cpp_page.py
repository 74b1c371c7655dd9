"""The C++ blocks of docs/cpp.md compile, in C++17, with the public headers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_blocks_compile(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "cpp.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```cpp\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    body = "".join(f"{{\n{block}}}\n" for block in blocks)
    source = tmp_path / "page.cpp"
    source.write_text(f'#include "striate/striate.hpp"\nusing namespace striate;\nvoid page() {{\n{body}}}\n')
    assert COMPILER is not None
    flags = ["-std=c++17", "-fsyntax-only", f"-I{ROOT / 'cpp' / 'include'}"]
    done = subprocess.run([COMPILER, *flags, source], capture_output=True, text=True)
    assert done.stderr == ""
