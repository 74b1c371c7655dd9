"""Training one model in several processes, on one machine or on many, over MPI.

Start the same program on each, `mpirun -n 4 --bind-to none python train.py`, and call `init()` before `fit`. Batches
keep their size: each process computes a part of every batch, and all of them end each step with the same weights.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from striate import _core
from striate._core import DistributedError
from striate._extras import require

__all__ = ["DistributedError", "finalize", "init", "is_main", "rank", "size"]

UNREACHABLE = 75
"""Exit code after the timeout: EX_TEMPFAIL, which schedulers take as a reason to start the job again."""

_SLOW_POLLS = 2000
_LONGEST_POLL = 1.0
_PEERS_BY_NAME = 64
_ASK_POLLS = 20
_SECONDS_TO_ANSWER = 2.0
_PIECE = 15_000
"""Floats of a message. MPI sends larger ones only after the other process has asked for them. Over TCP that question
may wait behind what goes the other way: the directions then take turns."""
_GATHER, _OBJECTS, _QUESTION, _ANSWER, _PARTS, _TAGS = 1, 2, 3, 4, 5, 1000
"""Tags of messages. Parts have `_TAGS` of them, from ticket to ticket another, so that several can be under way."""


class Group:
    """The processes that train one model together, as set up by `striate.distributed.init`.

    The C++ core exchanges gradients through it, and it sends Python objects between the processes. All processes must
    make the same calls in the same order. A call that waits longer than the timeout asks all processes whether they
    wait too, names those that do not answer, and ends the process.

    Args:
        comm: an mpi4py communicator that nothing else uses.
        timeout: seconds to wait for another process.
    """

    def __init__(self, comm: Any, timeout: float) -> None:
        self._mpi = require("mpi4py.MPI", "mpi", "striate.distributed")
        self._comm = comm
        self.timeout = timeout
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self._tickets: dict[int, tuple[list[Any], list[int]]] = {}
        self._last = 0
        self._answers: list[Any] = []
        self.late: dict[int, float] = {}
        """Seconds that this process has waited in `gather`, by the process that came last."""
        self.hosts: list[str] = [""] * self.size
        self.hosts = self.share(socket.gethostname())

    @property
    def main(self) -> bool:
        """Whether this is process 0, which runs the callbacks and writes the files."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """This process, for messages."""
        return self.name_of(self.rank)

    def name_of(self, process: int) -> str:
        """A process, for messages."""
        host = self.hosts[process]
        return f"rank {process} (host {host})" if host else f"rank {process}"

    # What the core calls

    def gather(self, mine: memoryview, out: memoryview) -> None:
        """Write the bytes of every process, as many from each, to `out`, in the order of ranks."""
        count, own = len(mine), self.rank
        out[own * count : (own + 1) * count] = mine
        if self.size == 1:
            return
        began = time.perf_counter()
        if self.size > _PEERS_BY_NAME:
            request = self._comm.Iallgather([mine, self._mpi.BYTE], [out, self._mpi.BYTE])
            self._finish([request], [])
        else:
            others = [process for process in range(self.size) if process != own]
            requests = [
                self._comm.Irecv([out[process * count : (process + 1) * count], self._mpi.BYTE], process, _GATHER)
                for process in others
            ]
            requests += [self._comm.Isend([mine, self._mpi.BYTE], process, _GATHER) for process in others]
            last = self._finish(requests, [*others, *others])
            if last is not None:
                self.late[last] = self.late.get(last, 0.0) + time.perf_counter() - began

    def begin(self, send: Sequence[tuple[memoryview, int]], receive: Sequence[tuple[memoryview, int]]) -> int:
        """Begin to send and receive parts; returns a ticket for `done` and `wait`."""
        kind, requests, peers = self._mpi.FLOAT, [], []
        self._last += 1
        tag = _PARTS + self._last % _TAGS
        for parts, start in ((receive, self._comm.Irecv), (send, self._comm.Isend)):
            for view, process in parts:
                for first in range(0, len(view), _PIECE):
                    requests.append(start([view[first : first + _PIECE], kind], process, tag))
                    peers.append(process)
        self._tickets[self._last] = requests, peers
        return self._last

    def done(self, ticket: int) -> bool:
        """Whether all parts of a ticket have been sent and received."""
        return bool(self._mpi.Request.Testall(self._tickets[ticket][0]))

    def wait(self, ticket: int) -> None:
        """Wait until `done`."""
        self._finish(*self._tickets.pop(ticket))

    # Objects

    def share(self, value: Any, failure: str = "") -> list[Any]:
        """The values of all processes, in order.

        Args:
            value: any object that can be pickled.
            failure: what went wrong in this process, if anything.

        Raises:
            DistributedError: something went wrong in one of them; all raise it.
        """
        own = pickle.dumps((value, f"{self.name}: {failure}" if failure else ""), pickle.HIGHEST_PROTOCOL)
        sizes = bytearray(8 * self.size)
        self.gather(memoryview(len(own).to_bytes(8, "little")), memoryview(sizes))
        others = [process for process in range(self.size) if process != self.rank]
        found: dict[int, Any] = {self.rank: own}
        requests = []
        for process in others:
            found[process] = bytearray(int.from_bytes(sizes[8 * process : 8 * process + 8], "little"))
            requests.append(self._comm.Irecv([found[process], self._mpi.BYTE], process, _OBJECTS))
        requests += [self._comm.Isend([own, self._mpi.BYTE], process, _OBJECTS) for process in others]
        self._finish(requests, [*others, *others])
        pairs = [pickle.loads(found[process]) for process in range(self.size)]
        self._raise_for_all([text for _, text in pairs])
        return [one for one, _ in pairs]

    def from_main(self, value: Any = None, failure: str = "") -> Any:
        """The value of process 0.

        Args:
            value: in process 0, any object that can be pickled.
            failure: in process 0, what went wrong, if anything.

        Raises:
            DistributedError: something went wrong there; all raise it.
        """
        text = f"{self.name}: {failure}" if failure else ""
        own = pickle.dumps((value, text), pickle.HIGHEST_PROTOCOL) if self.main else b""
        if self.size > 1:
            size = bytearray(len(own).to_bytes(8, "little"))
            self._finish([self._comm.Ibcast([size, self._mpi.BYTE], 0)], [] if self.main else [0])
            payload = bytearray(own) if self.main else bytearray(int.from_bytes(size, "little"))
            self._finish([self._comm.Ibcast([payload, self._mpi.BYTE], 0)], [] if self.main else [0])
            own = bytes(payload)
        found, failed = pickle.loads(own)
        self._raise_for_all([failed])
        return found

    def _raise_for_all(self, failures: Sequence[str]) -> None:
        texts = [text for text in failures if text]
        if texts:
            raise DistributedError("; ".join(texts))

    # Waiting

    def _finish(self, requests: list[Any], peers: Sequence[int]) -> int | None:
        """Wait for all requests, each of which receives from or sends to one of these processes.

        What is sent ends, too, only when the other process answers: a large part waits until it is asked for.

        Returns the process that was waited for last, if any was waited for.
        """
        testall, waited, now = self._mpi.Request.Testall, 0.0, time.monotonic()
        polls, last = 0, None
        while not testall(requests):
            polls += 1
            if polls < 20:
                continue
            if polls % 50 == 0 and peers:
                missing = self._missing(requests, peers)
                last = missing[-1] if missing else last
            if polls < _SLOW_POLLS:
                time.sleep(0.0)
            else:
                time.sleep(0.0005)
                if polls % _ASK_POLLS == 0:
                    self._answer()
            # Time in which this process itself was stopped does not count.
            before, now = now, time.monotonic()
            waited += min(now - before, _LONGEST_POLL)
            if waited > self.timeout:
                self._end(self._silent(), self._missing(requests, peers))
        return last

    def _missing(self, requests: Sequence[Any], peers: Sequence[int]) -> list[int]:
        """The processes of requests that are not done."""
        # A request that is done becomes null, which Testall takes as done.
        return sorted({peer for request, peer in zip(requests, peers, strict=False) if not request.Test()})

    def _answer(self) -> None:
        """Answer processes whose timeout is over: this one only waits, as they do."""
        status = self._mpi.Status()
        while self._comm.Iprobe(self._mpi.ANY_SOURCE, _QUESTION, status):
            asks = status.Get_source()
            self._comm.Recv([bytearray(1), self._mpi.BYTE], asks, _QUESTION)
            self._answers.append(self._comm.Isend([b"1", self._mpi.BYTE], asks, _ANSWER))

    def _silent(self) -> list[int]:
        """The processes that do not answer. One that is waited for may itself wait for another: it answers."""
        others = [process for process in range(self.size) if process != self.rank]
        answers = [self._comm.Irecv([bytearray(1), self._mpi.BYTE], process, _ANSWER) for process in others]
        for process in others:
            self._answers.append(self._comm.Isend([b"1", self._mpi.BYTE], process, _QUESTION))
        until = time.monotonic() + _SECONDS_TO_ANSWER
        while not self._mpi.Request.Testall(answers) and time.monotonic() < until:
            self._answer()
            time.sleep(0.001)
        return self._missing(answers, others)

    def _end(self, silent: Sequence[int], missing: Sequence[int]) -> None:
        """End the process, after a message.

        Args:
            silent: processes that did not answer.
            missing: processes whose part of the call is missing, which may only wait for others.
        """
        names = ", ".join(self.name_of(process) for process in silent or missing) or "another process"
        if silent:
            why = f"{names} did not answer for {self.timeout:g} seconds: it has ended, hangs, or cannot be reached."
        else:
            why = (
                f"{names} did not take part in a call for {self.timeout:g} seconds, but waits in another one: all "
                "processes must call fit and evaluate(distributed=True) in the same order."
            )
        print(
            f"[{self.name}] striate.distributed: {why} This process ends with exit code {UNREACHABLE}. Start the job "
            "again: with BackupAndRestore it resumes from the last backup",
            file=sys.stderr,
            flush=True,
        )
        abort(self._comm, UNREACHABLE)


def abort(comm: Any, code: int) -> None:
    """End all processes of the job; this one in any case."""
    sys.stdout.flush()
    timer = threading.Timer(2.0, os._exit, (code,))  # MPI may wait for what cannot be reached
    timer.daemon = True
    timer.start()
    comm.Abort(code)
    os._exit(code)


_group: Group | None = None
_hook: Callable[..., Any] | None = None
_warned = False


def init(comm: Any = None, timeout: float = 300.0) -> None:
    """Join the processes that were started together; the next `fit` trains in all of them.

    Without a launcher (`mpirun`, `srun`) and without `comm` it does nothing, so that a script runs alone too. Called
    again, it changes nothing. An exception that ends one process then ends all of them.

    Where a host has several processes and no STRIATE_NUM_THREADS or OMP_NUM_THREADS, each takes its share of the cores.

    Args:
        comm: an mpi4py communicator; None for the one of all processes, `mpi4py.MPI.COMM_WORLD`.
        timeout: seconds to wait for another process. After that the process names those that did not answer and ends
            with exit code 75.

    Raises:
        ImportError: mpi4py is missing, and a launcher has started several processes.
        ValueError: the timeout is not positive.
        DistributedError: the processes differ in version, compiler, instruction set or options; the message tells how
            to make them alike. The results would differ from process to process.
    """
    global _group, _hook
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or not timeout > 0:
        raise ValueError(f"striate.distributed.init: timeout must be a number of seconds above 0, got {timeout!r}")
    if _group is not None or (comm is None and launched() is None):
        return
    mpi = require("mpi4py.MPI", "mpi", "striate.distributed.init: this process was started by an MPI launcher, and it")
    group = Group((mpi.COMM_WORLD if comm is None else comm).Dup(), float(timeout))
    _compare(group)
    _divide_cores(group, mpi)
    _group, _hook = group, sys.excepthook
    sys.excepthook = _end_all


def finalize() -> None:
    """Leave the processes that `init` joined: `fit` trains alone again."""
    global _group
    if _group is None:
        return
    if sys.excepthook is _end_all:
        sys.excepthook = sys.__excepthook__ if _hook is None else _hook
    _group = None


def rank() -> int:
    """The number of this process, from 0."""
    return 0 if _group is None else _group.rank


def size() -> int:
    """The number of processes; 1 before `init`."""
    return 1 if _group is None else _group.size


def is_main() -> bool:
    """Whether this is process 0: print, save and evaluate there."""
    return rank() == 0


def group() -> Group | None:
    """What `init` has set up, or None."""
    return _group


def launched() -> tuple[int, int | None] | None:
    """This process's number and the number of all, as a launcher of MPI programs tells them in the environment.

    None without a launcher. SLURM_NTASKS alone tells nothing: it is set in batch scripts, too.
    """
    for number, count in (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")):
        if os.environ.get(count, "").isdigit():
            own = os.environ.get(number, "0")
            return int(own) if own.isdigit() else 0, int(os.environ[count])
    own = os.environ.get("PMIX_RANK", "")
    return (int(own), None) if own.isdigit() else None


def among_others() -> bool:
    """Whether a launcher started several processes, as far as this one can tell."""
    found = launched()
    return found is not None and (found[0] > 0 if found[1] is None else found[1] > 1)


def warn_if_alone() -> None:
    """Warn, once, where a launcher started several processes and `init` was not called."""
    global _warned
    found = launched()
    if _group is not None or _warned or found is None or not among_others():
        return
    _warned = True
    of = "" if found[1] is None else f" of {found[1]}"
    warnings.warn(
        f"fit: this is process {found[0]}{of}, and striate.distributed.init() was not called: each process trains a "
        "model of its own",
        stacklevel=5,
    )


def _compare(group: Group) -> None:
    info = _core.runtime_info()
    options = {name: os.environ.get(name, "") or "1" for name in ("STRIATE_FUSION", "STRIATE_WINOGRAD")}
    mine = {"version": info["version"], "compiler": info["compiler"], "instruction set": info["isa"], **options}
    everyones = group.share({**mine, "sets": list(info["available_isas"])})
    differing = [
        (what, [each[what] for each in everyones]) for what in mine if len({each[what] for each in everyones}) > 1
    ]
    if not differing:
        return
    what, values = differing[0]
    other = next(process for process, value in enumerate(values) if value != values[0])
    fix = "make them alike"
    if what == "instruction set":
        common = [isa for isa in everyones[0]["sets"] if all(isa in each["sets"] for each in everyones)]
        fix = f"set STRIATE_ISA={common[0]} for all of them"  # all have "scalar"
    raise DistributedError(
        f"striate.distributed.init: {group.name_of(0)} has {what} {values[0]}, {group.name_of(other)} has "
        f"{values[other]}; the bits of their results would differ: {fix}"
    )


def _divide_cores(group: Group, mpi: Any) -> None:
    local = group._comm.Split_type(mpi.COMM_TYPE_SHARED)
    on_host: int = local.Get_size()
    local.Free()
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    share = max(1, cores // on_host)
    bound = group.share((usable, share, cores))
    if group.main:
        for process, (has, could, of) in enumerate(bound):
            if has < could:
                warnings.warn(
                    f"striate.distributed.init: {group.name_of(process)} may use {has} of {of} cores; start with "
                    f"--bind-to none or --map-by node:PE={could}",
                    RuntimeWarning,
                    stacklevel=3,
                )
                break
    if usable == cores and on_host > 1 and not any(os.environ.get(f"{by}_NUM_THREADS") for by in ("STRIATE", "OMP")):
        _core.set_num_threads(min(share, _core.get_num_threads()))


def _end_all(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """What `python -m mpi4py` does: the other processes would wait for this one without end."""
    assert _group is not None
    sys.stderr.write(f"[{_group.name}] ")
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    if _group.size > 1:
        abort(_group._comm, 130 if issubclass(kind, KeyboardInterrupt) else 1)
