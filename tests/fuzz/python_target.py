"""What the targets in Python share: run libFuzzer by atheris, and values from the input's bytes."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

# Memory, not a disk, where the system has it.
SHM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def scratch() -> Path:
    """A folder for this process's files; removed at its end."""
    folder = tempfile.TemporaryDirectory(prefix="striate-fuzz-", dir=SHM)
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@contextlib.contextmanager
def documented(*errors: type[BaseException]) -> Iterator[None]:
    """Pass over the errors that a reader's documentation names; any other is a finding."""
    try:
        yield
    except errors as error:
        assert str(error), "an error without a message"


def fuzz(one_input: Callable[[bytes], None]) -> None:
    """Run a target by the command line's flags and folders."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)  # NumPy's: an overflow that nothing looks at
    # From the start, inputs long enough to fill all fields.
    flags = [] if any(flag.startswith("-len_control") for flag in sys.argv) else ["-len_control=0"]
    atheris.Setup([sys.argv[0], *flags, *sys.argv[1:]], one_input)
    atheris.Fuzz()
