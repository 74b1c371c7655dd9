"""Two hosts on this machine and a link between them: the exchange of a step, measured beside its simulation.

python benchmarks/emulated_network.py [--gbit 0.1] [--latency 1000] [--megabytes 8.8]

The hosts are network namespaces, which need root and iproute2. A thread carries their packets: each waits until the
link has sent the ones before it, and for the latency. That takes time of a core, so that rates are limited to about
0.3 Gbit/s.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
MTU = 9000  # few packets, since a program carries them; on the wire they count as packets of Ethernet's usual size
QUEUE = 0.002  # seconds of packets that wait in the network card
SEGMENT, HEADERS = 1448, 90  # bytes of a TCP segment in a packet of 1,500, and beside it: of Ethernet, IP and TCP
_SET_DEVICE, _TUN = 0x400454CA, 0x1001  # <linux/if_tun.h>: TUNSETIFF; IFF_TUN | IFF_NO_PI
AGENT = """#!/bin/sh
host=$1; shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def device(name: str) -> int:
    """A network device whose packets this process reads and writes."""
    found = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(found, _SET_DEVICE, struct.pack("16sH22x", name.encode(), _TUN))
    return found


class Link(threading.Thread):
    """Carries packets between two devices.

    Args:
        ends: the devices.
        rate: bytes a second, in each direction.
        latency: seconds.
    """

    def __init__(self, ends: tuple[int, int], rate: float, latency: float) -> None:
        super().__init__(daemon=True)
        self._ends, self._rate, self._latency = ends, rate, latency

    def run(self) -> None:
        free = [0.0, 0.0]  # when each direction has sent what it was given
        under_way: list[tuple[float, int, int, bytes]] = []
        number = 0
        while True:
            now = time.perf_counter()
            # A packet stays with its sender until its turn, as in a network card: TCP then sends no more than fits.
            open_ends = [end for end, until in zip(self._ends, free, strict=True) if until - now < QUEUE]
            due = [*(until - QUEUE for until in free if until - now >= QUEUE), *(when for when, *_ in under_way[:1])]
            ready, _, _ = select.select(open_ends, [], [], max(0.0, min(due) - now) if due else 1.0)
            now = time.perf_counter()
            for end in ready:
                at = self._ends.index(end)
                try:
                    packet = os.read(end, MTU + 100)
                except OSError:  # a host has gone
                    return
                payload = max(0, len(packet) - 52)
                wire = payload + HEADERS * max(1, -(-payload // SEGMENT))
                free[at] = max(now, free[at]) + wire / self._rate
                number += 1
                heapq.heappush(under_way, (free[at] + self._latency, number, self._ends[1 - at], packet))
            while under_way and under_way[0][0] <= now:
                _, _, end, packet = heapq.heappop(under_way)
                os.write(end, packet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gbit", type=float, default=0.1)
    parser.add_argument("--latency", type=float, default=1000.0, help="microseconds")
    parser.add_argument("--megabytes", type=float, default=8.8)
    given = parser.parse_args()
    hosts = [f"emulated-{os.getpid()}-{end}" for end in "ab"]
    names = [f"emu{os.getpid()}{end}" for end in "ab"]
    ends = device(names[0]), device(names[1])
    try:
        for at, host in enumerate(hosts):
            ip("netns", "add", host)
            ip("link", "set", names[at], "netns", host)
            ip("-n", host, "link", "set", "lo", "up")
            ip("-n", host, "link", "set", names[at], "name", "net0", "mtu", str(MTU), "up")
            ip("-n", host, "addr", "add", f"10.213.8.{at + 1}/24", "dev", "net0")
        Link(ends, given.gbit * 1e9 / 8, given.latency * 1e-6).start()
        with tempfile.TemporaryDirectory() as folder:
            agent = Path(folder, "agent")
            agent.write_text(AGENT)
            agent.chmod(0o755)
            beside = Path(sysconfig.get_path("scripts"), "mpirun")
            mpirun = beside if beside.exists() else "mpirun"
            measure = (
                f"hostname {hosts[0]}; exec {mpirun} --prtemca plm_ssh_agent {agent} --host {hosts[0]}:1,{hosts[1]}:1 "
                "--mca btl tcp,self --mca btl_tcp_if_include net0 --bind-to none -n 2 "
                f"{sys.executable} {HERE / 'scaling_mpi.py'} --exchange {given.megabytes} --gbit {given.gbit} "
                f"--latency {given.latency}"
            )
            allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "STRIATE_NUM_THREADS": "1"}
            words = ["ip", "netns", "exec", hosts[0], "unshare", "--uts", "sh", "-c", measure]
            subprocess.run(words, check=True, env={**os.environ, **allowed})
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "del", host], check=False)


if __name__ == "__main__":
    main()
