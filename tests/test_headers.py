"""Public headers compile alone, in C++17 without warnings, and show no OpenMP, SIMD or Python; c.h in C99."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[1] / "cpp" / "include"
HEADERS = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.hpp"))
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


def compiled(text: str, language: str, standard: str, folder: Path) -> str:
    source = folder / "source"
    source.write_text(text)
    assert COMPILER is not None
    flags = [
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-fsyntax-only",
        f"-std={standard}",
        f"-I{INCLUDE}",
        "-DSTRIATE_SHARED",
    ]
    return subprocess.run([COMPILER, *flags, "-x", language, source], capture_output=True, text=True).stderr


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_alone(tmp_path: Path) -> None:
    assert len(HEADERS) > 50
    for header in (name for name in HEADERS if name.count("/") == 1):
        assert compiled(f'#include "{header}"\n', "c++", "c++17", tmp_path) == "", header
    for folder in ("layers", "losses", "optimizers"):
        for header in (name for name in HEADERS if name.startswith(f"striate/{folder}/")):
            text = (INCLUDE / header).read_text()
            assert re.search(r'#include "striate/', text), f"{header} includes nothing of what it builds on"
    assert compiled("".join(f'#include "{name}"\n' for name in reversed(HEADERS)), "c++", "c++17", tmp_path) == ""
    assert compiled('#include "striate/c.h"\n', "c", "c99", tmp_path) == ""


def test_nothing_inside_shows() -> None:
    for header in HEADERS:
        text = (INCLUDE / header).read_text()
        assert not re.search(r"#include <(omp|immintrin|arm_neon|Python|pybind11)|#pragma omp|__m\d{3}", text), header


def test_umbrella_names_all() -> None:
    text = "".join(
        (INCLUDE / "striate" / f"{name}.hpp").read_text() for name in ("striate", "layers", "losses", "optimizers")
    )
    for header in HEADERS:
        if header not in ("striate/striate.hpp", "striate/export.hpp"):
            assert f'"{header}"' in text, header
