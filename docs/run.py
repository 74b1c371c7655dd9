"""Run the code of the pages, and write under each block what it printed: `python docs/run.py [PAGE ...]`.

A page's Python blocks run in order, as one script. What a block prints stands in the text block below it. Pictures are
written to `figures` beside the page; whatever else a page writes is gone when it ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code of a page."""

    line: int
    code: str
    shown: str
    printed: str


def pages() -> list[Path]:
    """All pages with code, in order."""
    return sorted(path for path in DOCS.rglob("*.md") if "```python\n" in path.read_text(encoding="utf-8"))


def run(page: Path, folder: Path) -> list[Block]:
    """Run a page's blocks in `folder`, where its pictures go."""
    text = page.read_text(encoding="utf-8")
    (folder / "figures").mkdir(exist_ok=True)
    names: dict[str, Any] = {"__name__": page.stem}
    blocks = []
    with contextlib.chdir(folder) if sys.version_info >= (3, 11) else _chdir(folder):
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("code"))
            printed = io.StringIO()
            # The line numbers of a traceback are those of the page.
            code = compile("\n" * line + match["code"], str(page), "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            blocks.append(Block(line + 1, match["code"], match["shown"] or "", printed.getvalue()))
    return blocks


def rewritten(page: Path, blocks: list[Block]) -> str:
    """The page with what its blocks printed."""
    parts = iter(blocks)

    def block(match: re.Match[str]) -> str:
        printed = next(parts).printed
        if printed and not printed.endswith("\n"):
            printed += "\n"
        return f"```python\n{match['code']}```\n" + (f"\n```text\n{printed}```\n" if printed else "")

    return _BLOCK.sub(block, page.read_text(encoding="utf-8"))


@contextlib.contextmanager
def _chdir(folder: Path) -> Any:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _keep(drawn: Path, folder: Path) -> None:
    """Move pictures beside the page, with few colours: a third of the bytes."""
    from PIL import Image

    for path in drawn.glob("*.png"):
        folder.mkdir(exist_ok=True)
        Image.open(path).convert("RGB").quantize(256).save(folder / path.name, optimize=True)


def main() -> None:
    for page in [Path(name).resolve() for name in sys.argv[1:]] or pages():
        with tempfile.TemporaryDirectory() as name:
            page.write_text(rewritten(page, run(page, Path(name))), encoding="utf-8")
            _keep(Path(name) / "figures", page.parent / "figures")
        print(page.relative_to(DOCS))


if __name__ == "__main__":
    main()
