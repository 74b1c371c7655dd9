"""The `striate` command: train, evaluate, predict, summary, export, info.

It needs `pip install 'striate[cli]'`; training also draws pictures (`[plot]`) and reads image folders (`[data]`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

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

    return run(sys.argv[1:] if arguments is None else arguments)
