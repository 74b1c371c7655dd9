"""Run a benchmark, keep its tables, and write docs/benchmarks.md from all that are kept.

    python benchmarks/record.py kernels "Single kernels" -- python benchmarks/kernels.py
    python benchmarks/record.py --page

The first form runs the command after `--`, shows its output, and writes `benchmarks/results/kernels.json`: the Markdown
tables that it printed, the command, the machine, the versions, the date and the commit. It then writes the page. The
second form writes the page alone.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PACKAGES = ("numpy", "torch", "onnxruntime", "openvino", "keras", "tensorflow-cpu")
# The order of the page; other results follow in the order of their names.
ORDER = ("training", "inference", "other-machines", "other-networks", "fashion-mnist", "tasks", "footprint")
STATE = "Changes of `cpp/src` since then: "  # a line of the page that each commit may change
INTRODUCTION = """# Benchmarks

`python benchmarks/record.py` writes this page from measurements in `benchmarks/results`. Each section names the
command, the machine, the versions and the date. Machines are shared: expect differences of about 10 % between runs.
Ratios above 1 mean that striate is faster or takes less memory.

To repeat a measurement, run the command of its section. To keep the result on this page:

```
python benchmarks/record.py NAME "TITLE" -- COMMAND
```
"""

Table = list[list[str]]


def tables(text: str) -> list[Table]:
    """The Markdown tables of a text: rows of cells, the head first."""
    found: list[Table] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not inside:
            found.append([])
            inside = True
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            found[-1].append(cells)
    return found


def markdown(table: Table) -> str:
    lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def machine() -> str:
    """The processor, the cores that this process may use, and the instruction set that striate selects."""
    import striate as st

    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        name = found[1] if found else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores, {st.isa()}"


def versions() -> dict[str, str]:
    import striate as st

    found = {"striate": st.__version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def record(name: str, title: str, command: list[str], note: str) -> None:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        print(line, end="", flush=True)
        printed.append(line)
    if process.wait():
        raise SystemExit(process.returncode)
    kept = tables("".join(printed))
    if not kept:
        raise SystemExit("the command printed no Markdown table: nothing is kept")
    result = {
        "title": title,
        "command": shlex.join(command),
        "date": datetime.date.today().isoformat(),
        "commit": git("rev-parse", "--short=9", "HEAD"),
        "machine": machine(),
        "versions": versions(),
        "note": note,
        "tables": kept,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def section(result: dict[str, Any]) -> str:
    listed = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    changes = git("rev-list", "--count", f"{result['commit']}..HEAD", "--", "cpp/src") or "unknown"
    lines = [f"## {result['title']}", "", f"Measured on {result['date']} at commit `{result['commit']}`.", ""]
    lines += [f"- Machine: {result['machine']}.", f"- Versions: {listed}."]
    lines += [f"- {STATE}{changes} commits."]
    lines += ["", "```", result["command"], "```", ""]
    if result["note"]:
        lines += [result["note"], ""]
    return "\n".join([*lines, "\n\n".join(map(markdown, result["tables"])), ""])


def page() -> str:
    """The page of all results."""
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    names = [name for name in ORDER if name in results] + [name for name in results if name not in ORDER]
    return "\n".join([INTRODUCTION, *(section(results[name]) for name in names)])


def main() -> None:
    own, dashes, command = sys.argv[1:], "", []
    if "--" in own:
        cut = own.index("--")
        own, dashes, command = own[:cut], "--", own[cut + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="name of the file in benchmarks/results")
    parser.add_argument("title", nargs="?", help="heading of the section")
    parser.add_argument("--note", default="", help="text between the command and the tables")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    arguments = parser.parse_args(own)
    if not arguments.page:
        if not (arguments.name and arguments.title and dashes and command):
            parser.error("give NAME, TITLE and, after --, the command; or --page")
        record(arguments.name, arguments.title, command, arguments.note)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
