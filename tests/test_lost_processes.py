"""A process or a host that is lost at any moment: all other processes end, and tell which one it was."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import mpi
from hosts import Hosts, wait_until_gone

FAILURES = Path(__file__).parent / "mpi_failures.py"
FULL = os.environ.get("FULL") == "1"
TRIES = int(os.environ.get("TRIES", 200 if FULL else 3))
HOST = socket.gethostname()
TIMEOUT = 3.0
ENDS = {"KILL": 137, "STOP": 75, "TERM": 143}
LATEST = TIMEOUT + (5 if FULL else 60)  # a sample runs on a busy machine
pytestmark = pytest.mark.timeout(60 * TRIES + 300)


class Training:
    """A training in several processes that goes on until it is stopped.

    Args:
        command: that starts them.
        processes: their number.
        folder: for what they print.
        more: variables of their environment.
    """

    def __init__(self, command: list[str], processes: int, folder: Path, **more: str) -> None:
        self._out, self._errors = folder / "out", folder / "errors"
        with self._out.open("w") as out, self._errors.open("w") as errors:
            given = mpi.environment(TIMEOUT=str(TIMEOUT), **more)
            self.launcher = subprocess.Popen(command, stdout=out, stderr=errors, env=given)
        self.pids: dict[int, int] = {}
        until = time.monotonic() + 200
        while len(self.pids) < processes:
            assert self.launcher.poll() is None and time.monotonic() < until, self.text
            found = re.findall(r"trains (\d+) (\d+)\n", self._out.read_text())
            self.pids = {int(rank): int(pid) for rank, pid in found}
            time.sleep(0.01)

    @property
    def text(self) -> str:
        """What they have printed."""
        return self._out.read_text() + self._errors.read_text()

    def ended(self, launcher: bool = True) -> float:
        """Wait until all have ended, and possibly their launcher; returns how long it took."""
        began = time.monotonic()
        try:
            if launcher:
                self.launcher.wait(LATEST)
            wait_until_gone([*self.pids.values()], LATEST)
            return time.monotonic() - began
        except (subprocess.TimeoutExpired, AssertionError) as error:
            raise AssertionError(f"{error}: {self.text}") from None
        finally:
            if self.launcher.poll() is None:
                self.launcher.kill()  # its processes end with it
                self.launcher.wait()


def lose(draw: random.Random, folder: Path) -> tuple[str, float]:
    """Send a signal to a process at a random moment; returns the signal, and the seconds until all have ended."""
    processes, how = draw.randint(2, 4), draw.choice(sorted(ENDS))
    lost = draw.randrange(processes)
    more = {"WIDTH": "4000"} if draw.random() < 0.5 else {}
    training = Training(mpi.command(processes, FAILURES, "lasts"), processes, folder, **more)
    time.sleep(draw.random())
    os.kill(training.pids[lost], getattr(signal, f"SIG{how}"))
    took = training.ended()
    code, text = training.launcher.returncode, training.text
    what = f"rank {lost} of {processes}, {how}, {more}, exit code {code}, {took:.1f} s: {text}"
    if how == "TERM":  # asked, not lost: all stop after the same step
        stopped = re.findall(r"^(\d) SystemExit: 143 \| (\d+)$", text, re.MULTILINE)
        assert sorted(int(rank) for rank, _ in stopped) == [*range(processes)], what
        assert len({steps for _, steps in stopped}) == 1, what
    elif how == "KILL":
        assert re.search(rf"process rank {lost} .* on node {HOST}", text), what
    else:
        named = re.findall(r"striate\.distributed: (.*) did not answer for 3 seconds", text)
        assert named and set(named) == {f"rank {lost} (host {HOST})"}, what
    assert code == ENDS[how], what
    return how, took


def test_all_processes_end_whenever_one_is_lost(tmp_path: Path) -> None:
    draw = random.Random(os.environ.get("STRIATE_SEED", "0"))
    longest: dict[str, float] = {}
    for _ in range(TRIES):
        how, took = lose(draw, tmp_path)
        longest[how] = max(longest.get(how, 0.0), took)
    print(f"{TRIES} tries; the longest of each, in seconds: {longest}")


@pytest.mark.parametrize("width", ("10", "4000"))
def test_all_processes_end_when_a_host_is_cut_off(width: str, tmp_path: Path) -> None:
    with Hosts(3, tmp_path) as hosts:
        training = Training(hosts.command(FAILURES, "lasts"), 3, tmp_path, WIDTH=width)
        time.sleep(0.5)
        hosts.cut(1)
        # mpirun itself waits for the host as long as TCP does: docs/many-machines.md tells how to shorten that.
        took = training.ended(launcher=False)
        text = training.text
        named = re.findall(r"striate\.distributed: (.*) did not answer for 3 seconds", text)
        assert named and set(named) == {f"rank 1 (host {hosts.names[1]})"}, text
        print(f"all ended {took:.1f} s after the cable of a host was pulled")
