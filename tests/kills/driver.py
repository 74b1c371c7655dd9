"""Kills a writer, or lets its calls fail, at the n-th call; prints what came of it as JSON.

    LD_PRELOAD=shim.so python driver.py SHIM SEED CALLS FAILURES RANDOM WRITER...

CALLS kills at calls, FAILURES failing calls and RANDOM kills at random times for each writer; -1 for all calls. A
child is forked for each attempt, in a fresh copy of the folder with the old content. After a kill, the folder must hold
the old or the new content; the writer is then run again, which must give the new content and leave nothing else.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from writers import NEW, NONE, OLD, WRITERS

KILL_BEFORE, KILL_AFTER, FAIL_ONCE, FAIL_FROM, SHORT_WRITES = range(1, 6)
MOST = 1000  # calls of one writer


class Driver:
    def __init__(self, shim: str, name: str, seed: int) -> None:
        self.shim, self.name, self.writer = ctypes.CDLL(shim), name, WRITERS[name]
        self.random = random.Random(seed)
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # flushing a disk takes its time
        self.place = Path(tempfile.mkdtemp(prefix="striate-kills-", dir=memory))
        self.counted = mmap.mmap(-1, 8)
        self.report: dict[str, Any] = {
            "attempts": 0,
            "kills": 0,
            "ended": 0,
            "errors": 0,
            "leftovers": 0,
            "problems": [],
        }
        warm = self.place / "warm"  # here, so that each child finds all modules imported
        warm.mkdir()
        for content in (0, 1):
            self.writer.write(warm, content)
            self.writer.state(warm)
        shutil.rmtree(warm)
        self.template = self.place / "template"
        self.template.mkdir()
        if self.writer.first != NONE:
            self.child(self.template, 0)
        self.expect(self.state(self.template) == self.writer.first, f"begins {self.state(self.template)}")

    def expect(self, right: bool, problem: str) -> None:
        if not right:
            self.report["problems"].append(problem)

    def state(self, folder: Path) -> str:
        """Told by a child, so that nothing is read or kept here."""
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                found = self.writer.state(folder)
            except BaseException as error:
                found = NONE if isinstance(error, FileNotFoundError) else repr(error)
            os.write(writer, found.encode()[:4000])
            os._exit(0)
        os.close(writer)
        os.waitpid(pid, 0)
        with os.fdopen(reader) as file:
            return file.read()

    def child(self, folder: Path, seed: int, mode: int = 0, place: int = 0, code: int = 0) -> int:
        """Writes in a child: 0, the signal that killed it as a negative number, or 3 for an OSError."""
        if (pid := os.fork()) == 0:
            status = 4
            try:
                try:
                    self.shim.fault_arm(mode, place, code)
                    self.writer.write(folder, seed)
                    status = 0
                finally:
                    count = self.shim.fault_count()
                    self.shim.fault_arm(0, 0, 0)
                    self.counted[:8] = struct.pack("<q", count)
            except OSError:
                status = 3
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)

    def fresh(self) -> Path:
        self.report["attempts"] += 1
        folder = self.place / str(self.report["attempts"])
        shutil.copytree(self.template, folder)
        return folder

    def left(self, folder: Path) -> int:
        return sum(name.endswith(".tmp") for _, _, names in os.walk(folder) for name in names)

    def recover(self, folder: Path, what: str) -> None:
        """The state after a kill or an error, then the writer again, then the state after it."""
        found = self.state(folder)
        allowed = {self.writer.first, NEW} | ({OLD} if self.writer.first == NONE else set())
        self.expect(found in allowed, f"{what}: {found}")
        self.report["leftovers"] += self.left(folder)
        code = self.child(folder, 1)
        self.expect(code == 0, f"{what}: written again: status {code}")
        self.expect(self.state(folder) == NEW, f"{what}: written again: {self.state(folder)}")
        self.expect(self.left(folder) == 0, f"{what}: temporary files are left")
        names = set(os.listdir(folder))
        self.expect(names <= self.writer.names, f"{what}: {names}")
        shutil.rmtree(folder)

    def calls(self) -> int:
        """How many calls one write makes."""
        folder = self.fresh()
        self.expect(self.child(folder, 1, SHORT_WRITES) == 0, "short writes: failed")
        self.expect(self.state(folder) == NEW, f"short writes: {self.state(folder)}")
        shutil.rmtree(folder)
        folder = self.fresh()
        self.expect(self.child(folder, 1, FAIL_ONCE, MOST, errno.EIO) == 0, "undisturbed: failed")
        shutil.rmtree(folder)
        count = int(struct.unpack("<q", self.counted[:8])[0])
        self.report["calls"] = count
        self.expect(0 < count < MOST, f"{count} calls")
        return count

    def chosen(self, points: list[Any], count: int) -> list[Any]:
        return points if count < 0 or count >= len(points) else self.random.sample(points, count)

    def at_calls(self, count: int) -> None:
        points = [(mode, n) for n in range(1, self.calls() + 1) for mode in (KILL_BEFORE, KILL_AFTER)]
        for mode, n in self.chosen(points, count):
            folder, what = self.fresh(), f"{('before', 'after')[mode - 1]} call {n}"
            code = self.child(folder, 1, mode, n)
            # What is written from time to time may be written once less: the child has then ended before this call.
            ended = code == 0 and struct.unpack("<q", self.counted[:8])[0] < n
            self.expect(code == -signal.SIGKILL or ended, f"{what}: status {code}")
            self.report["ended" if ended else "kills"] += 1
            self.recover(folder, what)
        self.expect(
            self.report["ended"] <= 1 + self.report["kills"] // 20, f"{self.report['ended']} calls were not reached"
        )

    def failing(self, count: int) -> None:
        codes = [(FAIL_ONCE, code) for code in (errno.EIO, errno.EINTR, errno.EACCES)] + [(FAIL_FROM, errno.ENOSPC)]
        points = [(mode, code, n) for n in range(1, self.calls() + 1) for mode, code in codes]
        for mode, code, n in self.chosen(points, count):
            folder, what = self.fresh(), f"{errno.errorcode[code]} at call {n}"
            status = self.child(folder, 1, mode, n, code)
            self.expect(status == 0 if code == errno.EINTR else status in (0, 3), f"{what}: status {status}")
            self.expect(status != 0 or self.state(folder) == NEW, f"{what}: no error, {self.state(folder)}")
            self.report["errors"] += status == 3
            self.recover(folder, what)

    def at_random(self, count: int) -> None:
        """Kills a child that writes again and again."""
        folder = self.fresh()
        began = time.perf_counter()
        self.child(folder, 1)
        longest = 2 * (time.perf_counter() - began)
        shutil.rmtree(folder)
        for _ in range(count):
            folder = self.fresh()
            if (pid := os.fork()) == 0:
                try:
                    self.writer.write(folder, 1)
                    while True:
                        time.sleep(1)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(4)
            wait = self.random.uniform(0, longest)
            time.sleep(wait)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.report["kills"] += 1
            self.recover(folder, f"after {wait:.4f} s")


def main() -> None:
    shim, seed, *counts = sys.argv[1:6]
    reports = {}
    for name in sys.argv[6:]:
        driver = Driver(shim, name, int(seed))
        try:
            for attempt, count in zip((driver.at_calls, driver.failing, driver.at_random), counts, strict=True):
                attempt(int(count))
        finally:
            shutil.rmtree(driver.place)
        reports[name] = driver.report
    print(json.dumps(reports))


if __name__ == "__main__":
    main()
