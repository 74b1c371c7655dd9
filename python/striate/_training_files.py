"""The state of a training as a file, with what its callbacks remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate import _core
from striate._files import text
from striate._saving import CALLBACKS, SCHEDULE, SHARDS
from striate._sharing import by_one_thread
from striate.callbacks.state import parsed, states_of

if TYPE_CHECKING:
    from striate._prepared import Prepared


@by_one_thread(trains=True)
def save_training_file(trainer: Prepared, place: bytes, overwrite: bool) -> None:
    """Write the file; see `striate.save_training`."""
    states, arrays = states_of(trainer._watched)
    extra = {CALLBACKS: states, **({} if trainer.optimizer._own is None else {SCHEDULE: "followed"})}
    if trainer._shards > 1:
        extra[SHARDS] = str(trainer._shards)
    trainer._settle().save_training(place, extra, arrays, overwrite)


@by_one_thread(trains=True)
def load_training_file(trainer: Prepared, place: bytes) -> None:
    """Go on from the file; see `striate.load_training`."""
    core = trainer._settle()
    extra, arrays = _core.load_training_extra(place)
    try:
        states = parsed(extra.get(CALLBACKS, "[]"), arrays)
        shards = shards_of(extra)
    except ValueError as error:
        raise ValueError(f"cannot load '{text(place)}': {error}") from error
    before, trainer._states = trainer._states, states
    try:
        core.load_training(place)
    except BaseException:  # all is as it was
        trainer._states = before
        raise
    trainer._saved_shards = shards
    if SCHEDULE not in extra and core.learning_rate_override is not None:
        trainer.optimizer._own = None  # a rate was set in place of the schedule


def saved_shards(place: bytes) -> int | None:
    """The parts that each batch was cut in by the training of a file; None where it was not."""
    return shards_of(_core.load_training_extra(place)[0])


def shards_of(extra: dict[str, str]) -> int | None:
    """The same, of the file's metadata."""
    found = extra.get(SHARDS, "1")
    if not found.isdigit() or not 1 <= int(found) < 2**31:
        raise ValueError(f"{SHARDS} must be a whole number of at least 1, got {found!r}")
    return int(found) if int(found) > 1 else None
