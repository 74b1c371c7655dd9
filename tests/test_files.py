"""Every file that is written: paths of all kinds, links, rights, full disks and limits; the old file stays whole."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate._files import append, whole_rows, write_file
from striate.callbacks import CSVLogger, ModelCheckpoint
from striate.history import read_history
from striate.layers import Dense, Input

MODEL = st.Sequential([Input((200,)), Dense(200)], seed=0)  # of 160 kB
MODEL.compile("sgd", "mse")
PROFILE = MODEL.profile(np.zeros((2, 200), np.float32), batch_size=1, steps=20)


def checkpoint(path: Any) -> None:
    saver = ModelCheckpoint(path)
    saver.set_model(MODEL)
    saver.on_epoch_end(0, {})


def log(path: Any) -> None:
    logger = CSVLogger(path)
    logger.on_train_begin()
    logger.on_epoch_end(0, {f"value{index}": 1.0 for index in range(1000)})


def figure(path: Any) -> None:
    pytest.importorskip("matplotlib")
    st.viz.plot_history({"loss": [1.0, 0.5]}, path=path)


def export(path: Any) -> None:
    pytest.importorskip("onnx")
    MODEL.export(path)


WRITERS: dict[str, Callable[[Any], None]] = {
    "save": MODEL.save,
    "save_weights": MODEL.save_weights,
    "save_training": lambda path: st.save_training(MODEL, path),
    "export": export,
    "write_trace": PROFILE.write_trace,
    "write_idx": lambda path: st.data.write_idx(path, np.zeros((100, 100), np.uint8)),
    "ModelCheckpoint": checkpoint,
    "CSVLogger": log,
    "figure": figure,
}
READERS: dict[str, Callable[[Any], Any]] = {
    "load_model": st.load_model,
    "load_weights": MODEL.load_weights,
    "load_training": lambda path: st.load_training(MODEL, path),
    "onnx": lambda path: st.onnx.load(path),
    "read_idx": st.data.read_idx,
    "read_history": read_history,
    "read_image": lambda path: st.data.read_image(path),
    "load_idx": st.data.load_idx,
}
writers = pytest.mark.parametrize("writer", WRITERS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@writers
def test_paths_that_are_refused(writer: str, folder: Path) -> None:
    write = WRITERS[writer]
    for path in ("file\0.png", b"file\0.png", Path("file\0.png")):
        with pytest.raises(ValueError, match="embedded null byte"):
            write(path)
    with pytest.raises(ValueError):  # no file has such a name
        write("\ud800.png")
    for number in (1, True, 2.0, None):
        if writer != "figure" or number is not None:
            with pytest.raises(TypeError):
                write(number)
    if writer not in ("figure", "ModelCheckpoint"):
        with pytest.raises(OSError):
            write("")
    os.mkdir("folder.png")
    with pytest.raises(IsADirectoryError):
        write("folder.png")
    if writer not in ("ModelCheckpoint", "CSVLogger"):  # which make folders
        with pytest.raises(FileNotFoundError):
            write("none/file.png")
    with pytest.raises(OSError):
        write("n" * 252 + ".png")
    assert os.listdir(folder) == ["folder.png"]


@pytest.mark.parametrize("reader", READERS)
def test_paths_that_no_reader_takes(reader: str, folder: Path) -> None:
    if reader == "onnx":
        pytest.importorskip("onnx")
    if reader == "read_image":
        pytest.importorskip("PIL")
    (folder / "file").write_bytes(b"content")
    with pytest.raises((ValueError, FileNotFoundError)):
        READERS[reader]("file\0.png")
    with pytest.raises(OSError):
        READERS[reader]("none")


@writers
def test_paths_that_are_taken(writer: str, folder: Path) -> None:
    odd = os.fsencode(folder) + b"/\xff\xfe.png"
    paths = ["a b.png", Path("ü 数.png"), b"bytes.png", os.fsdecode(odd), "n" * 251 + ".png"]
    for path in paths:
        WRITERS[writer](path)
        WRITERS[writer](path)
    assert set(os.listdir(os.fsencode(folder))) == {os.path.basename(os.fsencode(path)) for path in paths}


@writers
def test_links_are_followed_and_rights_kept(writer: str, folder: Path) -> None:
    os.mkdir("sub")
    os.symlink("sub/real.png", "link.png")  # dangling
    WRITERS[writer]("link.png")
    assert os.readlink("link.png") == "sub/real.png" and os.listdir("sub") == ["real.png"]
    os.chmod("sub/real.png", 0o604)
    WRITERS[writer]("link.png")
    assert os.readlink("link.png") == "sub/real.png" and os.stat("sub/real.png").st_mode & 0o7777 == 0o604
    mask = os.umask(0o027)
    try:
        WRITERS[writer]("new.png")
    finally:
        os.umask(mask)
    assert os.stat("new.png").st_mode & 0o7777 == 0o640
    assert set(os.listdir(folder)) == {"sub", "link.png", "new.png"}
    os.symlink("loop.png", "loop.png")
    with pytest.raises(OSError):
        WRITERS[writer]("loop.png")


@pytest.mark.parametrize("writer", [name for name in WRITERS if name not in ("CSVLogger", "figure")])
def test_devices_and_pipes(writer: str, folder: Path) -> None:
    WRITERS[writer]("/dev/null")
    os.mkfifo("pipe")
    with pytest.raises(OSError):  # a pipe that no process reads
        WRITERS[writer]("pipe")
    # It writes to a file: a pipe that this process reads too late would be full, and each would wait for the other.
    with tempfile.TemporaryFile() as copy, subprocess.Popen(["cat", "pipe"], stdout=copy) as reader:
        try:
            for _ in range(6000):
                try:
                    WRITERS[writer]("pipe")
                    break
                except OSError:
                    assert reader.poll() is None
                    threading.Event().wait(0.01)
            assert reader.wait(timeout=60) == 0
        finally:
            reader.kill()
        copy.seek(0)
        content = copy.read()
    WRITERS[writer]("file")
    assert content == Path("file").read_bytes()
    assert set(os.listdir(folder)) == {"pipe", "file"}


@contextlib.contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@writers
def test_rights_that_are_missing(writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(tempfile.mkdtemp())
    WRITERS[writer](place / "warm.png")
    try:
        (place / "locked.png").write_bytes(b"old")
        (place / "locked.png").chmod(0o444)
        place.chmod(0o777)
        with an_ordinary_user(), pytest.raises(PermissionError):
            WRITERS[writer](place / "locked.png")
        place.chmod(0o555)
        with an_ordinary_user(), pytest.raises(PermissionError):
            WRITERS[writer](place / "new.png")
        assert (place / "locked.png").read_bytes() == b"old"
        assert set(os.listdir(place)) == {"warm.png", "locked.png"}
    finally:
        place.chmod(0o700)
        shutil.rmtree(place)


@contextlib.contextmanager
def limit(which: int, value: int) -> Iterator[None]:
    old = resource.getrlimit(which)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(which, (value, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(which, old)
        signal.signal(signal.SIGXFSZ, handler)


@writers
def test_limits(writer: str, folder: Path) -> None:
    WRITERS[writer]("warm.png")
    os.remove("warm.png")
    Path("file.png").write_bytes(b"old content")
    with limit(resource.RLIMIT_FSIZE, 2000), pytest.raises(OSError):
        WRITERS[writer]("file.png")
    if writer != "CSVLogger":  # which begins with an empty file
        assert Path("file.png").read_bytes() == b"old content"
    Path("file.png").write_bytes(b"old content")
    taken = [os.open("file.png", os.O_RDONLY)]
    try:
        with limit(resource.RLIMIT_NOFILE, taken[0] + 1):
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(taken[0]))
            with pytest.raises(OSError):
                WRITERS[writer]("file.png")
    finally:
        for number in taken:
            os.close(number)
    assert Path("file.png").read_bytes() == b"old content"
    assert os.listdir(folder) == ["file.png"]
    WRITERS[writer]("file.png")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk; test_limits and test_kills need none")
@writers
def test_a_full_disk(writer: str, tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not permitted")
    try:
        (tmp_path / "file.png").write_bytes(b"old content")
        with contextlib.suppress(OSError):
            (tmp_path / "fill").write_bytes(bytes(1 << 20))
        with pytest.raises(OSError, match="No space left"):
            WRITERS[writer](tmp_path / "file.png")
        if writer != "CSVLogger":
            assert (tmp_path / "file.png").read_bytes() == b"old content"
        assert set(os.listdir(tmp_path)) == {"file.png", "fill"}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    "writer", [MODEL.save, MODEL.save_weights, lambda path, overwrite: write_file(path, bytes(100_000), overwrite)]
)
def test_one_of_many_writers_wins_where_none_may_overwrite(writer: Any, folder: Path) -> None:
    for _ in range(10):
        results: list[object] = []
        start = threading.Barrier(6)

        def write(start: threading.Barrier = start, results: list[object] = results) -> None:
            start.wait()
            try:
                writer("file", overwrite=False)
                results.append("written")
            except FileExistsError:
                results.append("there")

        threads = [threading.Thread(target=write) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(str, results)) == ["there"] * 5 + ["written"]
        assert os.listdir(folder) == ["file"]
        os.remove("file")


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    Path("file").write_bytes(b"old")
    os.symlink("none", "link")  # open() with "x" refuses it, too
    for path in ("file", "link"):
        for write in (MODEL.save, MODEL.save_weights, export_without, save_training_without):
            with pytest.raises(FileExistsError, match="already exists"):
                write(path, overwrite=False)
    assert Path("file").read_bytes() == b"old" and set(os.listdir(folder)) == {"file", "link"}


def export_without(path: str, overwrite: bool) -> None:
    pytest.importorskip("onnx")
    MODEL.export(path, overwrite=overwrite)


def save_training_without(path: str, overwrite: bool) -> None:
    st.save_training(MODEL, path, overwrite=overwrite)


@pytest.mark.parametrize("linked", [False, True])
def test_a_reader_always_finds_a_whole_file(folder: Path, linked: bool) -> None:
    if linked:
        os.symlink("linked", "file")
    models = [st.Sequential([Input((50,)), Dense(50 + seed)], seed=seed) for seed in (0, 1)]
    models[0].save("file")
    stop = threading.Event()

    def write(model: st.Sequential) -> None:
        while not stop.is_set():
            model.save("file")

    with ThreadPoolExecutor(len(models)) as pool:
        writers = [pool.submit(write, model) for model in models]
        try:
            for _ in range(200):
                found = st.load_model("file")
                (same,) = (model for model in models if model.output_shape == found.output_shape)
                assert np.array_equal(found.get_weights()[0], same.get_weights()[0])
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert sorted(os.listdir(folder)) == (["file", "linked"] if linked else ["file"])


def test_appending_adds_all_or_nothing(folder: Path) -> None:
    append("rows", b"one\n")
    with limit(resource.RLIMIT_FSIZE, 6), pytest.raises(OSError):
        append("rows", b"two\n")
    assert Path("rows").read_bytes() == b"one\n"
    append("rows", b"two\n")
    assert Path("rows").read_bytes() == b"one\ntwo\n"
    with pytest.raises(ValueError, match="embedded null byte"):
        append("rows\0", b"x")


def test_whole_rows() -> None:
    for data, count in (
        (b"", 0),
        (b"a", 0),
        (b"a\n", 2),
        (b"a\nb", 2),
        (b"a\r\nb\r", 5),
        (b'a\n"b\n', 2),
        (b'a\n"b\nc"\nd', 8),
        (b'a\n"b""\n', 2),
        (b'"a\n"', 0),
    ):
        assert whole_rows(data) == count, data


def test_a_file_in_a_folder_that_takes_no_new_one(folder: Path) -> None:
    """Long paths, and a folder that is moved while its file is written, are no obstacle."""
    write_file("file", b"one")
    deep = os.getcwd()
    while len(deep) < 3700:
        deep += "/" + "d" * 200
        os.mkdir(deep)
    deep += "/" + "e" * (4090 - len(deep) - 3)
    os.mkdir(deep)
    write_file(deep + "/f", b"two")
    assert Path(deep, "f").read_bytes() == b"two"
