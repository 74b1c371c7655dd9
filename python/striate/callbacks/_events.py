"""Event files as TensorBoard reads them, through the messages of tensorboardX."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from striate._extras import require
from striate._files import append

_PART = "striate.callbacks.TensorBoard"
_count = itertools.count()
_POSITIVE = 1e-12 * 1.1 ** np.arange(774)  # to 1e20, as TensorFlow draws histograms
_BINS = np.concatenate([-_POSITIVE[::-1], [0.0], _POSITIVE])


class EventFile:
    """A new event file in a folder. Every call of `add` appends whole records; the file is closed in between, so that
    nothing written is lost when the process ends, whatever ends it."""

    def __init__(self, folder: str) -> None:
        self._event = require("tensorboardX.proto.event_pb2", "tensorboard", _PART).Event
        self._summary = require("tensorboardX.summary", "tensorboard", _PART)
        self._checksum = require("tensorboardX.crc32c", "tensorboard", _PART).crc32c
        os.makedirs(folder, exist_ok=True)
        # Two runs that begin in the same second have files of their own.
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_count)}"
        self._path = os.path.join(folder, name)
        self.add([self._event(wall_time=time.time(), file_version="brain.Event:2")])

    def add(self, events: Iterable[Any]) -> None:
        """Append events."""
        append(self._path, b"".join(self._record(event.SerializeToString()) for event in events))

    def graph(self, definition: bytes) -> Any:
        """An event of a network."""
        return self._event(wall_time=time.time(), graph_def=definition)

    def scalar(self, tag: str, value: float, step: int) -> Any:
        """An event of a number."""
        return self._of(self._summary.scalar(tag, value), step)

    def histogram(self, tag: str, values: Any, step: int) -> Any:
        """An event of the distribution of finite values."""
        return self._of(self._summary.histogram(tag, values, _BINS.tolist()), step)

    def image(self, tag: str, picture: Any, step: int) -> Any:
        """An event of a picture in grey, (height, width)."""
        return self._of(self._summary.image(tag, picture, dataformats="HW"), step)

    def _of(self, summary: Any, step: int) -> Any:
        return self._event(wall_time=time.time(), step=step, summary=summary)

    def _record(self, data: bytes) -> bytes:
        """A record: its length, a check sum of the length, the bytes, their check sum."""
        length = struct.pack("<Q", len(data))
        return length + self._masked(length) + data + self._masked(data)

    def _masked(self, data: bytes) -> bytes:
        value = int(self._checksum(data))
        return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)
