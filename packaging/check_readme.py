"""Check README.md: its length, links, commands, example and pictures. Run it in a checkout with striate installed.

    python packaging/check_readme.py            # all but the training of the train command
    python packaging/check_readme.py --train    # that too

Prints what is wrong and exits with 1, or prints a line with the number of words.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MAX_WORDS, MAX_TABLES, MAX_PICTURE_BYTES = 700, 1, 150_000
_COMMAND = r"<!-- {} command -->\n```\n(.+)\n```"


def module(path: Path) -> ModuleType:
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def check_length(text: str) -> list[str]:
    """More words than allowed, code and tables included, or more than one table."""
    words, tables = len(text.split()), len(re.findall(r"^\|[-| :]+\|$", text, re.MULTILINE))
    problems = []
    if words > MAX_WORDS:
        problems.append(f"it has {words} words; at most {MAX_WORDS} are allowed")
    if tables > MAX_TABLES:
        problems.append(f"it has {tables} tables; at most {MAX_TABLES} is allowed")
    return problems


def command(text: str, name: str) -> list[list[str]]:
    """The parts of the train or test command, each as words."""
    found = re.findall(_COMMAND.format(name), text)
    if len(found) != 1:
        raise SystemExit(f"README.md: one block below <!-- {name} command --> expected, got {len(found)}")
    return [shlex.split(part) for part in found[0].split("&&")]


def check_commands(text: str) -> list[str]:
    """Commands that would not install what they run."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    problems = []
    for name, program in (("train", "striate"), ("test", "pytest")):
        parts = command(text, name)
        if len(parts) != 3 or parts[0] != ["python3", "-m", "venv", ".venv"]:
            problems.append(f"the {name} command does not begin with a virtual environment, then installs, then runs")
            continue
        if parts[1][:2] != [".venv/bin/pip", "install"] or parts[2][0] != f".venv/bin/{program}":
            problems.append(f"the {name} command does not install striate with pip and run {program}")
        for extra in re.findall(r"\[(\w+)\]", parts[1][2]):
            if not re.search(rf"^{extra} = \[", project, re.MULTILINE):
                problems.append(f"the {name} command names the extra {extra}, which pyproject.toml does not have")
    return problems


def check_example(runner: ModuleType) -> list[str]:
    """Python blocks that fail or that print something else than the text block below them."""
    with tempfile.TemporaryDirectory() as folder:
        blocks = runner.run(README, Path(folder))
    problems = [runner.difference(block.printed, block.shown) for block in blocks]
    if not any(block.shown for block in blocks):
        problems.append("the quick example shows no output")
    return [f"quick example: {problem}" for problem in problems if problem]


def check_pictures(text: str) -> list[str]:
    """Pictures that are missing, too large, or drawn by an older docs/pictures.py."""
    from PIL import Image

    script = module(ROOT / "docs" / "pictures.py")
    shown = re.findall(r"docs/pictures/(\w+\.png)", text)
    problems = []
    if len(shown) != 3 or {path.name for path in script.FOLDER.iterdir()} != set(shown):
        problems.append(f"three pictures of docs/pictures expected, and no other file there; got {shown}")
    for name in shown:
        path = ROOT / "docs" / "pictures" / name
        if not path.is_file():
            continue  # check_links reports it
        if path.stat().st_size > MAX_PICTURE_BYTES:
            problems.append(f"{name} has {path.stat().st_size} bytes; at most {MAX_PICTURE_BYTES} are allowed")
        with Image.open(path) as picture:
            drawn_by = picture.info.get(script.DIGEST_KEY)
        if drawn_by != script.digest():
            problems.append(f"{name} is older than docs/pictures.py: run python docs/pictures.py")
    return problems


def check_figures(text: str) -> list[str]:
    """Rows of the table whose figures are in no row or column of a measurement in benchmarks/results."""
    lines = []
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        for table in json.loads(path.read_text(encoding="utf-8"))["tables"]:
            lines += [Counter(line) for line in (*table, *zip(*table, strict=True))]
    problems = []
    for row in re.findall(r"^\|.*\d.*\|$", text, re.MULTILINE):
        name, *figures = (cell.strip() for cell in row.strip("|").split("|"))
        if not any(Counter(figures) <= line for line in lines):
            problems.append(f"benchmarks: the figures of {name} are in no file of benchmarks/results")
    return problems


def train(text: str) -> None:
    """Run the last part of the train command with the striate that is installed beside this Python."""
    _, *arguments = command(text, "train")[-1]
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "striate", *arguments]
        subprocess.run(program, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        out = Path(folder, arguments[arguments.index("--out") + 1])
        if not list(out.glob("*.safetensors")) or not list(out.glob("*.png")):
            raise SystemExit(f"README.md: the train command wrote no model or no picture: {sorted(out.iterdir())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="run the training of the train command")
    arguments = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    problems = [
        *check_length(text),
        *module(ROOT / "packaging" / "check_links.py").problems(README),
        *check_commands(text),
        *check_example(module(ROOT / "docs" / "run.py")),
        *check_pictures(text),
        *check_figures(text),
    ]
    if problems:
        raise SystemExit("\n".join(["README.md:", *problems]))
    if arguments.train:
        train(text)
    print(f"README.md: {len(text.split())} words, all checks passed")


if __name__ == "__main__":
    main()
