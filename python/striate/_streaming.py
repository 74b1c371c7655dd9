"""Training and evaluating on batches that threads read while the core works on the ones before."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._ahead import Ahead
from striate._arrays import FloatArray
from striate._data import Data, make_data
from striate._feeding import Change, joined
from striate._reading import ahead_of, rows_ahead
from striate._rows import Batch, Row, Rows, as_batch
from striate._sources import Batches, Source, batches_of, check_batch

if TYPE_CHECKING:
    from striate._meters import Meters
    from striate.callbacks import History
    from striate.losses import Loss


class Stream:
    """A source with what makes data for the core of its batches.

    Args:
        source: the rows or batches.
        who: the function and the argument that they were given to, for messages.
    """

    def __init__(self, source: Source, who: str) -> None:
        self.source = source
        self.who = who
        self._class_weight: Mapping[int, float] | None = None
        self._sample: Row | None = None
        self._warned: set[str] = set()

    def settle(self, network: _core.Model, losses: Sequence[Loss | None], meters: Meters, names: Sequence[str]) -> None:
        """Set the network with its losses and metrics, and the names of its outputs.

        Raises:
            TypeError: the source gives rows in place of batches.
        """
        self._network, self._losses, self._meters, self._names = network, losses, meters, names
        if isinstance(self.source, Batches):
            check_batch(self.example(), network.input_shapes, self.who, self.source.kind)

    @property
    def rows(self) -> int | None:
        """The number of rows, where the source tells."""
        return len(self.source) if isinstance(self.source, Rows) else None

    @property
    def batches(self) -> int | None:
        """The number of batches of a source that gives batches, where it tells."""
        return self.source.count if isinstance(self.source, Batches) else None

    def part(self, start: int, stop: int) -> Stream:
        """Rows [start, stop)."""
        assert isinstance(self.source, Rows)
        stream = copy.copy(self)
        stream.source, stream._sample = self.source.take(np.arange(start, stop)), None
        return stream

    def weighted(self, class_weight: Mapping[int, float], network: _core.Model) -> Stream:
        """The same with weights by class."""
        stream = copy.copy(self)
        stream._class_weight = class_weight
        return stream

    def memory(self, capacity: int) -> Batch:
        """Memory for a batch of rows."""
        boxes = [place for place, loss in enumerate(self._losses) if loss is not None and loss.of_boxes]
        inputs, outputs = len(self._network.input_nodes), len(self._names)
        return Batch(self.sample(), capacity, inputs, outputs, {*boxes, *(self._names[place] for place in boxes)})

    def data(self, x: Any, y: Any, weight: Any) -> Data:
        """A batch as the core takes it.

        Raises:
            ValueError, TypeError: it does not fit.
        """
        if y is None:
            gives = "its rows are inputs" if isinstance(self.source, Rows) else "its batches are x"
            named = "; name the entries of rows that are dicts: striate.data.rows(source, columns=('image', 'label'))"
            hint = named if isinstance(x, Mapping) else ""
            raise TypeError(f"{self.who}: the {self.source.kind} has no targets: {gives} alone, expected (x, y){hint}")
        measured = self._meters.outputs
        data = make_data(x, y, weight, self._network, self._losses, self.who, measured, self._warn_once)
        if self._class_weight is not None:
            data = data.weighted(self._class_weight, self._network)
        self._meters.check(data)
        return data

    def _warn_once(self, message: str) -> None:
        """Warn of what is wrong with a batch, once for each kind, whatever the numbers."""
        kind = "".join(letter for letter in message if not letter.isdigit())
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(message, stacklevel=5)

    def example(self) -> Any:
        """The inputs of the first batch, or of the first row as a batch."""
        return self.source.first().x if isinstance(self.source, Batches) else as_batch(self.sample().x)

    def sample(self) -> Row:
        """The first row of a source of rows. All rows must have its shape and dtype."""
        assert isinstance(self.source, Rows)
        if self._sample is None:
            self._sample = self.source.read([0])[0]
        return self._sample

    def first(self) -> Data:
        """The first batch, or the first row as a batch, for checks before the first step."""
        return self.data(*self.source.first()) if isinstance(self.source, Batches) else self.of_rows([0])

    def of_rows(self, places: Sequence[int]) -> Data:
        """Some rows of a source of rows as a batch; row 0 is read once."""
        assert isinstance(self.source, Rows)
        memory = self.memory(len(places))
        for at, place in enumerate(places):
            row = self.sample() if place == 0 else self.source.read([place])[0]
            memory.put(at, row, self.source.name_of(place))
        return self.data(*memory.values(len(places)))


class StreamFeed:
    """Batches of a stream, each bound to the core before its step.

    Args:
        core: the trainer that is bound.
        stream: the data.
        batch_size: rows of a batch, where the stream has rows; a stream of batches has its own.
        watched: whether `seen` will be asked for.
        change: changes batches, as `augment` of `fit`.
        goes_on: whether an iterable goes on in the next pass where it was, rather than from its start.
    """

    def __init__(
        self,
        core: _core.Trainer,
        stream: Stream,
        batch_size: int,
        watched: bool,
        change: Change | None = None,
        goes_on: bool = False,
    ) -> None:
        self._core = core
        self._stream = stream
        self._batch_size = batch_size
        self._watched = watched
        self._change = change
        self._goes_on = goes_on
        self._seen: list[Data] = []
        self._ahead: Ahead[Data] | None = None
        self._steps: int | None = None
        self._done = 0
        self._waited = 0.0
        self.ended_early = False
        """Whether the source gave fewer batches than were asked for."""
        self.rows_done = 0
        """Rows of this pass or of the last one."""

    def begin(self, seed: int, epoch: int, steps: int | None, shuffle: bool) -> None:
        """Begin a pass.

        Args:
            seed: of the order.
            epoch: of the order, and of the changes of batches.
            steps: the number of batches; None: all there are.
            shuffle: whether rows, or the batches of a sequence, come in a new order.
        """
        source, change = self._stream.source, self._change
        changed = None if change is None else lambda data, rows: change(data, rows, epoch)
        self._steps, self._done, self._seen, self.rows_done = steps, 0, [], 0
        known = len(source) if isinstance(source, Rows) else source.count if source.is_sequence else None
        order = _core.permutation(seed, epoch, known) if shuffle and known is not None else None
        if isinstance(source, Batches):
            source.begin()
        made = self._stream.data, self._stream.memory
        self._ahead = ahead_of(source, *made, order, self._batch_size, steps, changed, self._goes_on)

    @property
    def kind(self) -> str:
        """The source, for messages."""
        return self._stream.source.kind

    @property
    def workers(self) -> int:
        """The threads that read."""
        return self._stream.source.workers

    @property
    def waited(self) -> float:
        """Seconds that steps have waited for their batches, in all passes."""
        return self._waited + (0.0 if self._ahead is None else self._ahead.waited)

    def most_rows(self) -> int | None:
        """A number of rows that the pass will not exceed, where one is known, if all batches are as the first."""
        source = self._stream.source
        if isinstance(source, Rows):
            return len(source) if self._steps is None else min(len(source), self._steps * self._batch_size)
        count = source.count if self._steps is None else self._steps
        return None if count is None else count * source.batch_rows

    @property
    def batch_size(self) -> int:
        """Rows of a batch; of a source of batches, of the first one."""
        source = self._stream.source
        return self._batch_size if isinstance(source, Rows) else source.batch_rows

    def next(self) -> int:
        """Bind the core to the next batch; returns its rows, 0 after the last one."""
        assert self._ahead is not None
        data = self._ahead.next()
        if data is None:
            self.ended_early = self._steps is not None and self._done < self._steps
            if self._done == 0:
                raise ValueError(f"{self._stream.who}: the {self.kind} gave no batch")
            return 0
        self._done += 1
        self.rows_done += data.rows
        self._core.bind(data.inputs, data.targets, data.weights)
        if self._watched:
            self._seen.append(data._replace(inputs=[]).map(np.copy))
        return data.rows

    def seen(self, but_last: bool = False) -> Data:
        """Targets and weights of the batches since the last call, with `but_last` without those of the last one."""
        last = self._seen[-1:] if but_last else []
        batches, self._seen = self._seen[: len(self._seen) - len(last)], last
        return joined(batches)

    def end(self) -> None:
        """End the pass, and its threads."""
        if self._ahead is not None:
            self._waited = self.waited
            ahead, self._ahead = self._ahead, None
            ahead.close()
            if isinstance(self._stream.source, Batches):
                self._stream.source.end()

    def close(self) -> None:
        """Let go of what the source's iteration holds."""
        self.end()
        if isinstance(self._stream.source, Batches):
            self._stream.source.release()


class StreamPart:
    """What this process computes of the batches of a stream of rows that are cut in shards.

    Args:
        core: the trainer that is bound.
        stream: the data.
        train: whether it trains.
        change: changes batches, as `augment` of `fit`.
    """

    def __init__(self, core: _core.Trainer, stream: Stream, train: bool, change: Change | None = None) -> None:
        assert isinstance(stream.source, Rows)
        self._core, self._stream, self._rows = core, stream, stream.source
        self._step = core.train_part if train else core.test_part
        self._change = change
        self._ahead: Ahead[Data] | None = None
        self._predictions: Sequence[FloatArray] = ()
        self._base = 0
        self._seen: list[Data] = []
        self._waited = 0.0
        self.rows_done = 0
        """Rows of this pass or of the last one."""

    def begin(self, rows: NDArray[np.int64], firsts: Sequence[int], epoch: int) -> None:
        """Begin a pass.

        Args:
            rows: the numbers of this process's rows, batch after batch.
            firsts: where each batch begins among them; at last, their number.
            epoch: of the changes of batches.
        """
        change = self._change
        changed = None if change is None else lambda data, places: change(data, places, epoch)
        self.rows_done = 0
        if len(rows):
            self._ahead = rows_ahead(self._rows, self._stream.data, self._stream.memory, rows, firsts, changed)

    @property
    def kind(self) -> str:
        """The source, for messages."""
        return self._rows.kind

    @property
    def workers(self) -> int:
        """The threads that read."""
        return self._rows.workers

    @property
    def waited(self) -> float:
        """Seconds that steps have waited for their batches, in all passes."""
        return self._waited + (0.0 if self._ahead is None else self._ahead.waited)

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None:
        """As a feed's, see `striate._feeding.Feed`."""
        self._predictions, self._base, self._seen = buffers, base, []

    def part(self, first: int, count: int) -> float:
        """Compute a batch of `count` rows of all processes; the next ones, from `first` on, are this one's."""
        core = self._core
        begin, end = core.own_rows(count)
        if end > begin:
            assert self._ahead is not None
            data = self._ahead.next()
            assert data is not None and data.rows == end - begin
            core.bind(data.inputs, data.targets, data.weights)
            core.set_predictions(self._predictions, self._base - first)
            self.rows_done += data.rows
            if self._predictions:
                self._seen.append(data._replace(inputs=[]).map(np.copy))
        return self._step(0, count)

    def moved(self) -> Data | None:
        """Targets and weights of the steps since `set_predictions`."""
        return joined(self._seen) if self._seen else None

    def end(self) -> None:
        """End the pass, and its threads."""
        if self._ahead is not None:
            self._waited = self.waited
            ahead, self._ahead = self._ahead, None
            ahead.close()

    close = end


def steps_of(given: int | None, data: Data | Stream, batch_size: int, what: str) -> int | None:
    """The batches of a pass over arrays or a stream; see `striate._sources.batches_of`."""
    return batches_of(given, data.source if isinstance(data, Stream) else data.rows, batch_size, what)


def steps_shown(steps: int | None, data: Data | Stream) -> int | None:
    """The number of steps for a progress bar: also where only the source's end tells, if it says how many there are."""
    return data.batches if steps is None and isinstance(data, Stream) else steps


class Waits:
    """Keeps, for each epoch, the share of its time that steps waited for data, and warns once where it is high."""

    SHARE, SECONDS = 0.05, 1.0
    """A warning is due above this share, and where an epoch lost more than these seconds."""

    def __init__(self, feed: Any) -> None:
        self._feed = feed
        self._warned = False
        self._began = self._before = 0.0

    def begin(self) -> None:
        """An epoch's steps begin."""
        self._began, self._before = time.perf_counter(), 0.0 if self._feed is None else self._feed.waited

    def end(self, history: History | None) -> None:
        """An epoch's steps are done."""
        seconds = time.perf_counter() - self._began
        lost = 0.0 if self._feed is None else self._feed.waited - self._before
        share = lost / seconds if seconds > 0.0 else 0.0
        if history is not None:
            history.wait.append(share)
        if share > self.SHARE and lost > self.SECONDS and not self._warned:
            self._warned = True
            warnings.warn(self._message(share, lost, seconds), RuntimeWarning, stacklevel=4)

    def _message(self, share: float, lost: float, seconds: float) -> str:
        waits = f"fit: steps waited for data in {share:.0%} of the epoch's {seconds:.1f} s"
        if not isinstance(self._feed, (StreamFeed, StreamPart)):
            return f"{waits}: augment is slower than the steps"
        rows = self._feed.rows_done
        return (
            f"{waits}: the {self._feed.kind} gave {rows / seconds:,.0f} rows a second with workers="
            f"{self._feed.workers}, the steps alone could take {rows / max(seconds - lost, 1e-9):,.0f}; let more "
            "workers read, if the source allows it, or decode it once: striate.data.cache(source, folder)"
        )
