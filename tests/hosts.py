"""Hosts for tests: network namespaces of this machine, joined by a switch. Needs root and iproute2."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest

import mpi

# What mpirun calls to start a program on another host, as it would call ssh.
AGENT = """#!/bin/sh
host=$1; shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"
"""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Hosts:
    """So many hosts, in a `with` block.

    Args:
        count: hosts, up to 200.
        folder: for the program that mpirun calls.
    """

    def __init__(self, count: int, folder: Path) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
            pytest.skip("hosts are network namespaces, which need root, iproute2 and util-linux")
        tag = f"st{os.getpid()}"
        self.names = [f"{tag}-{number}" for number in range(count)]
        self.switch = f"{tag}-switch"
        self.agent = folder / "agent"
        self.agent.write_text(AGENT)
        self.agent.chmod(0o755)

    def __enter__(self) -> Hosts:
        try:
            for name in (*self.names, self.switch):
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", self.switch, "link", "add", "switch", "type", "bridge")
            _ip("-n", self.switch, "link", "set", "switch", "up")
            for number, name in enumerate(self.names):
                port = ("type", "veth", "peer", "name", f"port{number}", "netns", self.switch)
                _ip("link", "add", "net0", "netns", name, *port)
                _ip("-n", name, "addr", "add", f"10.213.7.{number + 1}/24", "dev", "net0")
                _ip("-n", name, "link", "set", "net0", "up")
                _ip("-n", self.switch, "link", "set", f"port{number}", "master", "switch", "up")
        except subprocess.CalledProcessError as error:
            self.__exit__(None, None, None)
            pytest.skip(f"this machine makes no hosts of network namespaces: {error.stderr}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in (*self.names, self.switch):
            # mpirun's programs on a host that was cut off wait for it.
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
            for pid in map(int, pids.split()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def cut(self, number: int) -> None:
        """Pull the cable of a host."""
        _ip("-n", self.switch, "link", "set", f"port{number}", "down")

    def command(self, program: Path | str, *arguments: str) -> list[str]:
        """The command that runs a program in a process on each host."""
        words = mpi.command(len(self.names), program, *arguments)
        tcp = ["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "net0"]
        where = ["--host", ",".join(f"{name}:1" for name in self.names)]
        launch = [words[0], "--prtemca", "plm_ssh_agent", str(self.agent), *where, *tcp, *words[2:]]
        return ["ip", "netns", "exec", self.names[0], "unshare", "--uts", "sh", "-c", _IN_HOST, self.names[0], *launch]


_IN_HOST = 'hostname "$0"; exec "$@"'


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until_gone(pids: list[int], seconds: float) -> float:
    """Wait until processes have ended; returns the seconds that it took.

    Raises:
        AssertionError: it takes too long.
    """
    began = time.monotonic()
    while left := [pid for pid in pids if not gone(pid)]:
        assert time.monotonic() - began < seconds, f"processes {left} go on after {seconds:g} s"
        time.sleep(0.01)
    return time.monotonic() - began
