"""Whether a wheel or a source distribution holds what it should, and nothing else: run in a git checkout.

    python packaging/check_contents.py FILE ...

A source distribution is the files that git tracks, less those for the repository's own machines. A wheel is the package
as git tracks it, the compiled core with its library, headers and CMake package, metadata with the licences, and at most
the OpenMP library that came with the compiler; it stays within 5 MB. Prints a line with the size of each file, or ends
with what is wrong and exit code 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_IN_SDIST = (".ci/", ".github/")
MOST_BYTES = 5_000_000
LICENSES = ("LICENSE", "python/striate/data/DIGITS-ATTRIBUTION.md")


def tracked(folder: str = ".") -> set[str]:
    files = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in files.stdout.splitlines() if (ROOT / name).is_file()}


def check_sdist(path: Path) -> list[str]:
    """What is wrong with it."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if name.count("/")}
        present = {name for name in names if not any(other.startswith(name + "/") for other in names)}
    expected = {name for name in tracked() if not name.startswith(NOT_IN_SDIST)} | {"PKG-INFO"}
    return differences(present, expected)


def check_wheel(path: Path) -> list[str]:
    """What is wrong with it."""
    with zipfile.ZipFile(path) as archive:
        present = {name for name in archive.namelist() if not name.endswith("/")}
    info = "-".join(path.name.split("-")[:2]) + ".dist-info/"
    metadata = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", *(f"licenses/{name}" for name in LICENSES)]
    package = {name.removeprefix("python/") for name in tracked("python/striate") if not name.endswith(".gitignore")}
    package |= {"striate/" + name.removeprefix("cpp/") for name in tracked("cpp/include")}
    core = {name for name in present if re.fullmatch(r"striate/_core\.[^/]+\.(so|pyd)", name)}
    library = {name for name in present if re.fullmatch(r"striate/lib/(libstriate\.(so|dylib)|striate\.lib)", name)}
    library |= {name for name in present if re.fullmatch(r"striate/lib/cmake/striate/striate[^/]+\.cmake", name)}
    # A repaired wheel brings OpenMP's library, and auditwheel's list of what it brought.
    brought = {name for name in present if re.fullmatch(r"striate\.libs/libgomp[^/]*\.so[^/]*|.*/sboms/[^/]+", name)}
    problems = differences(present - core - library - brought, package | {info + name for name in metadata})
    if len(core) != 1:
        problems.append(f"one compiled core expected, got {sorted(core)}")
    if len(library) != 5:
        problems.append(f"one library and its CMake package expected, got {sorted(library)}")
    if path.stat().st_size > MOST_BYTES:
        problems.append(f"at most {MOST_BYTES} bytes expected, got {path.stat().st_size}")
    return problems


def differences(present: set[str], expected: set[str]) -> list[str]:
    return [f"{name} is missing" for name in sorted(expected - present)] + [
        f"{name} does not belong there" for name in sorted(present - expected)
    ]


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        problems = check_wheel(path) if path.suffix == ".whl" else check_sdist(path)
        if problems:
            raise SystemExit("\n".join([f"{path.name}:", *problems]))
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, its files are those expected")


if __name__ == "__main__":
    main()
