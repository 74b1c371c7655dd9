"""Caches: the rows of the source in files that are mapped, whole or gone on with after an interrupt."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from sources import Pairs
from striate.data import cache, caching, rows

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (150, 4, 5, 3), dtype=np.uint8)
Y = RNG.integers(0, 9, 150)


class Counted(Pairs):
    """Counts the rows that are read; fails from a row on."""

    def __init__(self, *columns: Any, fails: int | None = None) -> None:
        super().__init__(*columns)
        self.read, self.fails = 0, fails

    def __getitem__(self, place: int) -> Any:
        if self.fails is not None and self.fails <= place < len(self) - 1:
            raise OSError("interrupted")
        self.read += 1
        return super().__getitem__(place)


def boxes_of(count: int) -> list[Any]:
    many = RNG.integers(0, 4, count)
    return [(RNG.random((m, 4)).astype(np.float32), RNG.integers(0, 5, m), RNG.random(m) < 0.5) for m in many]


def test_a_cache_holds_the_rows_and_is_read_by_numpy(tmp_path: Path) -> None:
    source = Counted(X, Y)
    data = cache(rows(source, workers=2), tmp_path / "c")
    assert np.array_equal(data.images, X) and np.array_equal(data.labels, Y)
    assert isinstance(data.images, np.memmap) and not data.images.flags.writeable
    assert np.array_equal(np.load(tmp_path / "c" / "images.npy"), X)
    assert np.array_equal(np.load(tmp_path / "c" / "labels.npy"), Y) and data.labels.dtype == Y.dtype
    before = source.read
    again = cache(rows(source), tmp_path / "c")
    assert source.read <= before + 2 and np.array_equal(again.images, X)

    def fit(given: Any) -> Any:
        model = st.Sequential([st.Input((4, 5, 3)), st.layers.Flatten(), st.layers.Dense(9)], seed=0)
        model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        return model.fit(given, epochs=2, verbose=0).history

    assert fit(data) == fit(rows((X, Y)))


@given(hs.integers(1, 149), hs.integers(1, 149), hs.booleans())
def test_an_interrupted_cache_goes_on_where_it_stopped(
    tmp_path_factory: Any, first: int, second: int, boxed: bool
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    targets = boxes_of(150) if boxed else Y
    for fails in sorted((first, second)):
        source = Counted(X, targets, fails=fails)
        if fails < 149:
            with pytest.raises(RuntimeError, match=f"row {fails} of Counted could not be read: OSError: interrupted"):
                cache(rows(source), folder)
    done = json.loads((folder / "cache.json").read_text())["done"] if (folder / "cache.json").exists() else 0
    source = Counted(X, targets)
    data = cache(rows(source), folder)
    assert source.read == 150 - done + 2  # the first and the last tell the data from others
    assert np.array_equal(data.images, X)
    if boxed:
        for (boxes, labels), ignored, target in zip(data.targets, data.ignored, targets, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip((boxes, labels, ignored), target, strict=True))
    else:
        assert np.array_equal(data.labels, Y)


def test_other_data_and_other_files_are_refused(tmp_path: Path) -> None:
    cache(rows((X, Y)), tmp_path)
    for other in ((X[:20], Y[:20]), (X, Y + 1), (X[::-1], Y)):
        with pytest.raises(ValueError, match="holds other data than the ndarray gives now"):
            cache(rows(other), tmp_path)
    (tmp_path / "cache.json").write_text("{")
    with pytest.raises(ValueError, match=r"cache.json is damaged, or of another version"):
        cache(rows((X, Y)), tmp_path)
    (tmp_path / "cache.json").unlink()
    with pytest.raises(ValueError, match=r"images.npy exists and does not belong to a cache"):
        cache(rows((X, Y)), tmp_path)
    with pytest.raises(TypeError, match=r"cache expects a data set made with in_memory=False.* got ndarray"):
        cache(X, tmp_path)
    with pytest.raises(ValueError, match="one input and no sample weight"):
        cache(rows((X, Y, Y)), tmp_path / "other")


def test_a_folder_of_pictures_and_a_change_of_it(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs striate[data]")
    for place in range(12):
        path = tmp_path / f"p/{'ab'[place % 2]}/{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(X[place]).save(path)
    read: dict[str, Any] = {"image_size": 4, "shuffle": False}
    now = st.data.image_dataset_from_directory(tmp_path / "p", **read)
    later = st.data.image_dataset_from_directory(tmp_path / "p", in_memory=False, **read)
    data = cache(later, tmp_path / "c")
    assert np.array_equal(data.images, now.images) and np.array_equal(data.labels, now.labels)
    assert data.class_names == ["a", "b"] and data.file_paths == now.file_paths
    other = st.data.image_dataset_from_directory(tmp_path / "p", in_memory=False, image_size=5, shuffle=False)
    with pytest.raises(ValueError, match="other files or rows, or read in another way"):
        cache(other, tmp_path / "c")
    os.utime(tmp_path / "p/a/0.png", (1, 1))
    with pytest.raises(ValueError, match="holds other data"):
        cache(later, tmp_path / "c")


def _slowly(folder: str) -> None:
    class Slow(Pairs):
        def __getitem__(self, place: int) -> Any:
            time.sleep(0.002)
            return super().__getitem__(place)

    Slow.__name__ = "Pairs"
    cache(rows(Slow(X, Y)), folder)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_leaves_what_another_goes_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "_EVERY", 0.0)
    process = multiprocessing.get_context("fork").Process(target=_slowly, args=(str(tmp_path),))
    process.start()
    while not (tmp_path / "cache.json").exists():
        time.sleep(0.005)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    done = json.loads((tmp_path / "cache.json").read_text())["done"]
    source = Counted(X, Y)
    Counted.__name__ = "Pairs"
    data = cache(rows(source), tmp_path)
    assert done >= 64 and source.read == 150 - done + 2
    assert np.array_equal(data.images, X) and np.array_equal(data.labels, Y)
