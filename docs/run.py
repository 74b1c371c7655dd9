"""Run the code of the pages and write its output below each block: `python docs/run.py [PAGE ...]`.

The blocks of a page run in order. Its Python blocks are one script; a console block has one command, `$ striate ...`,
`$ python ...`, `$ mpirun ...` or `$ sh ...`, perhaps with variables before it, `NAME=value`. The output of a Python
block is in the text block below it, that of a command in its own block, where a line `...` replaces any number of
lines. Pictures are written to `figures` beside the page; all other files that a page writes are removed when it ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).resolve().parent
# A number may differ by 0.05, by a fifth, or by one in its last place: other instruction sets round differently, and
# training amplifies the difference. Times ("0.1 s") are not compared.
CLOSE, SHARE = 0.05, 0.2
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]\d+)?")
_SECONDS = re.compile(r"\d+(?:\.\d+)? s\b")
_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?"
    r"|^```console\n\$ (?P<command>[^\n]+)\n(?P<answer>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of code of a page."""

    line: int
    code: str
    shown: str
    printed: str


def pages() -> list[Path]:
    """All pages with code, in order."""
    return sorted(
        path
        for path in DOCS.rglob("*.md")
        if _BLOCK.search(path.read_text(encoding="utf-8"))
    )


def run(page: Path, folder: Path) -> list[Block]:
    """Run a page's blocks in `folder`, where its pictures go."""
    text = page.read_text(encoding="utf-8")
    (folder / "figures").mkdir(exist_ok=True)
    names: dict[str, Any] = {"__name__": page.stem}
    blocks = []
    with contextlib.chdir(folder) if sys.version_info >= (3, 11) else _chdir(folder):
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match["command"]:
                blocks.append(
                    Block(
                        line,
                        match["command"],
                        match["answer"],
                        answer(match["command"]),
                    )
                )
                continue
            printed = io.StringIO()
            # The line numbers of a traceback are those of the page.
            code = compile("\n" * line + match["code"], str(page), "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            blocks.append(
                Block(line, match["code"], match["shown"] or "", printed.getvalue())
            )
    return blocks


def answer(command: str) -> str:
    """What a command prints, with the striate that this Python imports."""
    words = shlex.split(command)
    given = {}
    while re.match(r"\w+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        given[name] = value
    program, *arguments = words
    beside = Path(sys.executable).parent  # its programs are those that a script calls
    if program == "mpirun":  # the one beside this Python, if there is one
        own = beside / "mpirun"
        start = [str(own) if own.exists() else "mpirun", "--oversubscribe"]
        arguments = [sys.executable if word == "python" else word for word in arguments]
    elif program == "sh":
        start = ["sh"]
    else:
        module = {"python": [], "striate": ["-m", "striate"]}[program]
        start = [sys.executable, *module]
    done = subprocess.run(
        [*start, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "88",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PATH": os.pathsep.join([str(beside), os.environ.get("PATH", "")]),
            **given,
        },
    )
    return done.stdout.replace(f"{Path.cwd()}{os.sep}", "")


def shortened(printed: str, shown: str) -> str:
    """The output without the lines that `...` replaces: as many lines remain before and after it as are shown."""
    before, dots, after = shown.partition("...\n")
    lines = printed.splitlines(keepends=True)
    first, last = before.count("\n"), after.count("\n")
    if not dots or len(lines) <= first + last:
        return printed
    return "".join([*lines[:first], dots, *lines[len(lines) - last :]])


def rewritten(page: Path, blocks: list[Block]) -> str:
    """The page with what its blocks printed."""
    parts = iter(blocks)

    def block(match: re.Match[str]) -> str:
        printed = next(parts).printed
        if match["command"]:
            return f"```console\n$ {match['command']}\n{shortened(printed, match['answer'])}```\n"
        if printed and not printed.endswith("\n"):
            printed += "\n"
        return f"```python\n{match['code']}```\n" + (
            f"\n```text\n{printed}```\n" if printed else ""
        )

    return _BLOCK.sub(block, page.read_text(encoding="utf-8"))


def difference(printed: str, shown: str) -> str:
    """How the output of a block differs from the text below it; empty if it does not."""
    (words, numbers), (shown_words, shown_numbers) = (
        _parts(shortened(printed, shown)),
        _parts(shown),
    )
    if words != shown_words:
        return f"printed:\n{printed}\nshown:\n{shown}"
    for number, expected in zip(numbers, shown_numbers, strict=True):
        if not _near(number, expected):
            return f"printed {number}, shown {expected}"
    return ""


def _parts(text: str) -> tuple[list[str], list[str]]:
    # NumPy pads the numbers of an array to one width; the width changes if one of them is whole.
    text = _SECONDS.sub("TIME", text)
    return _NUMBER.sub("#", text).replace("[", " [ ").replace(
        "]", " ] "
    ).split(), _NUMBER.findall(text)


def _near(number: str, expected: str) -> bool:
    if number.isdigit() and expected.isdigit():  # counts and shapes
        return number == expected
    mantissa, _, exponent = expected.partition("e")
    place = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    margin = max(0.0 if exponent else CLOSE, place, SHARE * abs(float(expected)))
    return abs(float(number) - float(expected)) <= 1.001 * margin


@contextlib.contextmanager
def _chdir(folder: Path) -> Any:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _keep(drawn: Path, folder: Path) -> None:
    """Move pictures beside the page, with 256 colours: a third of the bytes."""
    from PIL import Image

    for path in drawn.glob("*.png"):
        folder.mkdir(exist_ok=True)
        Image.open(path).convert("RGB").quantize(256).save(
            folder / path.name, optimize=True
        )


def main() -> None:
    for page in [Path(name).resolve() for name in sys.argv[1:]] or pages():
        with tempfile.TemporaryDirectory() as name:
            page.write_text(rewritten(page, run(page, Path(name))), encoding="utf-8")
            _keep(Path(name) / "figures", page.parent / "figures")
        print(page.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
