"""The `striate` command: train, evaluate, predict, report, summary, export, info.

It needs `pip install 'striate[cli]'`; training also draws pictures (`[plot]`) and reads image folders (`[data]`).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

from striate._extras import require

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (by default the process's) and return its exit code.

    0: done; 1: an optional library is missing, or memory ended; 2: wrong arguments, files or data (one line on stderr
    says what);
    130: stopped by Ctrl-C. With `STRIATE_TRACEBACK=1` in the environment an error is raised instead of told in one
    line.
    """
    try:
        require("click", "cli", "the striate command")
    except ImportError as error:
        print(f"striate: {error}", file=sys.stderr)
        return 1
    from striate.cli._app import run

    if arguments is not None:
        return run(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _tell
        return run(sys.argv[1:])


def _tell(message: Warning | str, *place: Any, **more: Any) -> None:
    """A warning as one line, without the place in the code."""
    print(f"striate: note: {' '.join(str(message).split())}", file=sys.stderr)
