"""The time of each step of training or prediction."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from striate import _core, _html
from striate._checks import batch_of, positive
from striate._files import PathLike, encoded, write_file
from striate._sharing import by_one_thread

if TYPE_CHECKING:
    from striate.network import Network
    from striate.trainer import Trainer

_HEAD = ("Layer", "Step", "Pass", "ms", "Rate", "Of limit", "Share")
_LEFT = 3  # columns of names; numbers follow


class ProfileRow(NamedTuple):
    """One step of the plan: one call of one kernel.

    Attributes:
        layer: name of the layer; "" for steps that belong to no layer, such as the loss and the update of the weights.
            If layers are computed together, the name of the first one.
        what: description of the kernel.
        pass_: "input", "forward", "loss", "backward" or "update".
        seconds: time from the start of the first thread to the end of the last one; the median of the runs.
        flops: floating-point operations of a run, by the definition; 0 for steps that only move and change numbers.
        bytes: bytes moved, if each tensor is read or written once.
        rate: flops a second where there are flops, or else bytes a second.
        limit: the highest measured rate of the machine on all threads, in the same unit.
        share: share of the time of a whole run, 0 … 1.
        threads: number of threads that computed it: 1 or all.
    """

    layer: str
    what: str
    pass_: str
    seconds: float
    flops: float
    bytes: float
    rate: float
    limit: float
    share: float
    threads: int

    @property
    def of_limit(self) -> float:
        """The rate as a share of the limit; more than 1 if work is saved or data stay in a faster cache."""
        return self.rate / self.limit


class Profile:
    """The result of `Model.profile`; it prints as a table.

    Attributes:
        rows: a `ProfileRow` for each step, in order.
        seconds: time of a whole run: the rows and what is between them.
        between: seconds of a run that no row accounts for: starting the threads and waiting for one another.
        training: whether it is of training steps.
        batch_size: samples of a run.
        threads: that it had.
        runs: how many were measured.
        fma_peak: multiply-adds in registers, on all threads, in flops a second.
        copies: bytes (read and written) -> bytes a second of a copy of that size, on all threads.
    """

    def __init__(
        self,
        recorded: _core.Profile,
        limits: tuple[float, Sequence[tuple[float, float]]],
        *,
        training: bool,
        batch_size: int,
        isa: str,
        name: str,
    ) -> None:
        self.training, self.batch_size = training, batch_size
        self.threads = recorded.threads
        self.fma_peak, self.copies = limits[0], dict(limits[1])
        self._isa, self._name = isa, name
        self._steps, self._spans, self._runs = recorded.steps, recorded.spans, recorded.runs
        self.runs = len(self._runs)
        done = self._spans[..., 0] >= 0  # (runs, steps, threads)
        begin = np.where(done, self._spans[..., 0], np.inf).min(axis=2)
        end = np.where(done, self._spans[..., 1], -np.inf).max(axis=2)
        kept = [index for index in range(len(self._steps)) if done[:, index].any(axis=1).all()]
        each = (end - begin)[:, kept]
        middle = np.median(each, axis=0)
        self.between = float(np.median(self._runs[:, 1] - self._runs[:, 0] - each.sum(axis=1)))
        self.seconds = float(middle.sum()) + self.between
        self.rows = [self._row(self._steps[index], float(seconds)) for index, seconds in zip(kept, middle, strict=True)]

    def _row(self, step: _core.ProfiledStep, seconds: float) -> ProfileRow:
        amount = step.flops or step.bytes
        limit = self.fma_peak
        if not step.flops:
            nearest = min(self.copies, key=lambda size: abs(math.log(size / max(step.bytes, 1.0))))
            limit = self.copies[nearest]
        return ProfileRow(
            layer=step.layer,
            what=step.what,
            pass_=step.pass_,
            seconds=seconds,
            flops=step.flops,
            bytes=step.bytes,
            rate=amount / max(seconds, 1e-9),
            limit=limit,
            share=seconds / self.seconds,
            threads=self.threads if step.shared else 1,
        )

    def __str__(self) -> str:
        cells = self._table()
        widths = [max(len(row[column]) for row in [_HEAD, *cells]) for column in range(len(_HEAD))]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        lines = [
            self._title(),
            rule,
            _line(_HEAD, widths),
            rule,
            *(_line(row, widths) for row in cells),
            rule,
            *self._sums(),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return _html.table(self._title(), _HEAD, self._table(), _LEFT, self._sums())

    def _title(self) -> str:
        kind = "training step" if self.training else "prediction"
        count = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"Profile: {self._name}, a {kind} of {self.batch_size}, {count}, {self._isa}, median of {self.runs} runs"

    def _table(self) -> list[tuple[str, ...]]:
        between = ("", "between steps", "", f"{1e3 * self.between:.4f}", "", "", self._part(self.between))
        return [*(_cells(row) for row in self.rows), between]

    def _sums(self) -> list[str]:
        """The lines below the table."""
        copies = ", ".join(f"{rate / 1e9:.0f} GB/s at {_size(size)}" for size, rate in self.copies.items())
        passes = dict.fromkeys(row.pass_ for row in self.rows)
        sums = {name: sum(row.seconds for row in self.rows if row.pass_ == name) for name in passes}
        return [
            "Passes: " + ", ".join(f"{name} {1e3 * sums[name]:.3g} ms ({self._part(sums[name])})" for name in passes),
            f"Whole: {1e3 * self.seconds:.4g} ms, {1e6 * self.seconds / self.batch_size:.4g} µs a sample, "
            f"{sum(row.flops for row in self.rows) / self.seconds / 1e9:.1f} GFLOP/s",
            f"Limits: multiply-adds {self.fma_peak / 1e9:.0f} GFLOP/s, copy {copies}",
        ]

    def __repr__(self) -> str:
        kind = "training step" if self.training else "prediction"
        return f"<Profile of a {kind} of {self.batch_size}: {len(self.rows)} steps, {1e3 * self.seconds:.4g} ms>"

    def _part(self, seconds: float) -> str:
        return f"{100 * seconds / self.seconds:.1f} %"

    def write_trace(self, path: PathLike) -> None:
        """Write all measured runs in Chrome's trace format, for chrome://tracing or ui.perfetto.dev: a row for each
        thread, a slice for each step.

        Raises:
            OSError: the file cannot be written; an old one is as it was.
        """
        events: list[dict[str, Any]] = [
            {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": f"striate: {self._name}"}}
        ]
        for thread in range(self.threads):
            named = {"name": f"thread {thread}"}
            events.append({"ph": "M", "pid": 0, "tid": thread, "name": "thread_name", "args": named})
        for run in range(self.runs):
            for step, thread in np.argwhere(self._spans[run, :, :, 0] >= 0).tolist():
                events.append(self._event(step, thread, run))
        write_file(path, json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}).encode())

    def _event(self, index: int, thread: int, run: int) -> dict[str, Any]:
        step = self._steps[index]
        begin, end = self._spans[run, index, thread].tolist()
        return {
            "ph": "X",
            "pid": 0,
            "tid": thread,
            "name": f"{step.layer}: {step.what}" if step.layer else step.what,
            "cat": step.pass_,
            "ts": 1e6 * begin,
            "dur": 1e6 * (end - begin),
            "args": {"run": run, "step": index, "flops": step.flops, "bytes": step.bytes},
        }


def profile(
    model: Network,
    x: Any,
    y: Any = None,
    *,
    trainer: Trainer | None,
    batch_size: int | None = 32,
    steps: int = 10,
    trace: PathLike | None = None,
) -> Profile:
    """See `Model.profile`; `trainer` is the model's trainer if `y` is given."""
    size = batch_of(batch_size, "profile")
    steps = positive(steps, "profile: steps")
    if trace is not None:
        encoded(trace)  # a path that cannot be is refused before anything is measured
    if trainer is None:
        arrays = model._arrays(x, "profile")
        size, firsts = _batches(len(arrays[0]), size, steps)
        recorded = model._network.profile(arrays, firsts, size)
    else:
        recorded, size = _of_training(trainer, x, y, size, steps)
    isa = str(_core.runtime_info()["isa"])
    limits = _core.measure_limits()
    result = Profile(recorded, limits, training=trainer is not None, batch_size=size, isa=isa, name=model.name)
    print(result)
    if trace is not None:
        result.write_trace(trace)
    return result


@by_one_thread(trains=True)
def _of_training(trainer: Trainer, x: Any, y: Any, size: int, steps: int) -> tuple[_core.Profile, int]:
    data = trainer._data(x, y, None, "profile")
    size, firsts = _batches(data.rows, size, steps)
    try:
        with trainer._alone():
            core = trainer._bind(data)
            core.set_rows(None)
            return core.profile(firsts, size), size
    finally:
        trainer._release()


def _batches(rows: int, size: int, steps: int) -> tuple[int, list[int]]:
    """The size of a batch and the first row of each run's: one whole batch after another, and from the start again."""
    size = max(min(size, rows), 1)
    return size, [index % max(rows // size, 1) * size for index in range(steps)]


def _cells(row: ProfileRow) -> tuple[str, ...]:
    unit = "GFLOP/s" if row.flops else "GB/s"
    return (
        row.layer or "–",
        row.what,
        row.pass_,
        f"{1e3 * row.seconds:.4f}",
        f"{row.rate / 1e9:.1f} {unit}",
        f"{100 * row.of_limit:.0f} %",
        f"{100 * row.share:.1f} %",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column < _LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _size(count: float) -> str:
    return f"{count / 2**20:.0f} MB" if count >= 2**20 else f"{count / 2**10:.0f} kB"
