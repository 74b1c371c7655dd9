"""Measures how much CPU time `pip install .` takes in a fresh environment, without a compiler cache.

    python packaging/build_seconds.py [--objects COUNT]

Prints the user and system seconds of all processes: in total, for each group of sources, and for the slowest objects.
The compiler runs behind this script, which logs the seconds that each object took.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def child_seconds() -> float:
    return seconds(resource.RUSAGE_CHILDREN)


def launch(log: str, command: list[str]) -> int:
    """Runs a compiler's command and logs its seconds and its object."""
    code = subprocess.run(command).returncode
    name = command[command.index("-o") + 1] if "-o" in command else "other"
    line = f"{child_seconds():.3f}\t{name}\t{seconds(resource.RUSAGE_SELF):.3f}\n"
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(file, line.encode())  # a single write, since compilers run side by side
    os.close(file)
    return code


def group(name: str) -> str:
    """The group of an object: the target that it belongs to, and for the core its folder."""
    target = re.search(r"CMakeFiles/([^/]+)\.dir/(.*)", name)
    if not target or target[1].startswith("cmTC_"):
        return "other"
    if "cmake_pch" in target[2]:
        return f"{target[1]}: precompiled header"
    folder = re.match(r"cpp/(src/[^/]+)/", target[2])
    return f"{target[1]}: {folder[1]}" if folder else target[1]


def main() -> int:
    if len(sys.argv) > 3 and sys.argv[1] == "--launch":
        return launch(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, default=15, metavar="COUNT", help="slowest objects to list")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        venv.create(f"{folder}/venv", with_pip=True)
        log = Path(folder, "log")
        launcher = f"{sys.executable};-IS;{Path(__file__).resolve()};--launch;{log}"
        environment = dict(os.environ, CMAKE_CXX_COMPILER_LAUNCHER=launcher)
        before = child_seconds()
        subprocess.run([f"{folder}/venv/bin/pip", "install", "-q", str(ROOT)], env=environment, check=True)
        total = child_seconds() - before
        lines = [line.split("\t") for line in log.read_text().splitlines()]
    objects = [(float(line[0]), line[1]) for line in lines]
    total -= sum(float(line[2]) for line in lines)  # what this script's processes took
    groups: dict[str, float] = defaultdict(float)
    for seconds, name in objects:
        groups[group(name)] += seconds
    groups["pip, CMake and the linker"] = total - sum(groups.values())
    print(f"{total:8.1f} CPU seconds in total")
    for name, seconds in sorted(groups.items(), key=lambda item: -item[1]):
        print(f"{seconds:8.1f} {name}")
    print("\nSlowest objects:")
    for seconds, name in sorted(objects, reverse=True)[: options.objects]:
        print(f"{seconds:8.1f} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
