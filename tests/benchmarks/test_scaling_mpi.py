"""The simulation of several hosts: limits that hold whatever the machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import scaling_mpi


def test_the_exchange_takes_twice_the_bytes_over_the_rate() -> None:
    seconds = scaling_mpi.exchange_seconds(44.7e6, 1000, 10, 0.0)
    assert seconds == pytest.approx(2 * 44.7e6 * 8 / (0.94 * 10e9), rel=2e-3)
    assert scaling_mpi.exchange_seconds(44.7e6, 1, 10, 25.0) == 0.0
    assert scaling_mpi.exchange_seconds(44.7e6, 2, 10, 0.0) == pytest.approx(44.7e6 * 8 / (0.94 * 10e9))


def test_more_hosts_or_a_slower_network_are_less_efficient() -> None:
    shares = [
        [scaling_mpi.efficiency(0.264, 44.7e6, hosts, gbit, latency, 1e10) for gbit, latency in scaling_mpi.NETWORKS]
        for hosts in scaling_mpi.HOSTS
    ]
    assert all(0 < share < 1 for row in shares for share in row)
    assert all(row == sorted(row) for row in shares)
    assert all(list(column) == sorted(column, reverse=True) for column in zip(*shares, strict=True))
    assert shares[2][1] > 0.75  # ResNet-18, 32 rows a host, 8 hosts, 10 Gbit/s: without overlap
