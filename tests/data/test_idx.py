import gzip
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from striate.data import load_idx, read_idx, write_idx

DTYPES = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]
FASHION = Path("/usr/share/datasets/fashion-mnist")


def header(code, *shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=5, min_side=0, max_side=4))
    ),
    end=st.sampled_from(["", ".gz"]),
)
def test_round_trip(tmp_path, array, end):
    path = tmp_path / f"any-idx{end}"
    write_idx(path, array)
    got = read_idx(path)
    assert got.dtype == array.dtype and got.dtype.isnative and got.shape == array.shape
    assert got.tobytes() == array.tobytes()
    assert got.flags.writeable


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "a"
    write_idx(path, np.array([[1, -2, 3]], dtype=np.int16))
    assert path.read_bytes() == bytes.fromhex("00000b02 00000001 00000003 0001 fffe 0003")
    write_idx(str(path), np.array([1, 2], dtype=">f4"))
    assert path.read_bytes() == bytes.fromhex("00000d01 00000002 3f800000 40000000")


def test_gzip_is_told_by_content_and_is_reproducible(tmp_path):
    write_idx(tmp_path / "a.gz", np.arange(9, dtype=np.uint8))
    write_idx(tmp_path / "b.gz", np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    (tmp_path / "a.gz").rename(tmp_path / "plain-name")
    assert read_idx(tmp_path / "plain-name").tolist() == list(range(9))


def test_not_contiguous(tmp_path):
    array = np.arange(24, dtype=np.int32).reshape(4, 6).T[::-1, ::2]
    write_idx(tmp_path / "a", array)
    assert np.array_equal(read_idx(tmp_path / "a"), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file: it starts with nothing"),
        (b"\0\0\x08", "is not an IDX file: it starts with 00 00 08"),
        (b"\x89PNG1234", "is not an IDX file: it starts with 89 50 4e 47; expected 00 00, a type code of 08, 09, 0b"),
        (header(0x0A, 1) + b"1", "is not an IDX file: it starts with 00 00 0a 01"),
        (b"\0\0\x08\0", "is not an IDX file: it starts with 00 00 08 00"),
        (b"\0\0\x08\x21" + bytes(400), "1 to 32 axes"),
        (b"\0\0\x08\x03\0\0\0\x01\0\0", "is truncated: its header of 3 axes is cut off"),
        (header(0x08, 10) + bytes(9), "says it holds (10,) values of uint8, 10 bytes, but has 9"),
        (header(0x08, 10) + bytes(11), "says it holds (10,) values of uint8, 10 bytes, but has 11"),
        (header(0x0E, 2) + bytes(15), "says it holds (2,) values of float64, 16 bytes, but has 15"),
        (header(0x08, *[2**32 - 1] * 8) + bytes(4), "but has 4"),
        (header(0x08, 0, *[2**32 - 1] * 3), "says it holds (0, 4294967295, 4294967295, 4294967295)"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "damaged-idx"
    path.write_bytes(content)
    with pytest.raises(OSError, match=re.escape(message)) as error:
        read_idx(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("inner", "cut", "message"),
    [
        (header(0x08, 1000) + bytes(900), None, "is truncated: its header states 1000 bytes of values, but it has 900"),
        (header(0x08, 1000) + bytes(1001), None, "has more bytes than the 1000 bytes of values that its header states"),
        (header(0x08, 1000) + bytes(range(250)) * 4, -30, "is a damaged gzip file"),
        (header(0x08, 2**30) + bytes(10), None, "but can hold at most"),
        (b"", None, "is not an IDX file: it starts with nothing"),
    ],
)
def test_damaged_gzip_files(tmp_path, inner, cut, message):
    path = tmp_path / "damaged.gz"
    path.write_bytes(gzip.compress(inner)[:cut])
    with pytest.raises(OSError, match=re.escape(message)) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_a_gzip_file_with_a_wrong_checksum_or_body(tmp_path):
    content = bytearray(gzip.compress(header(0x08, 1000) + bytes(range(250)) * 4))
    for place in (-8, 40):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        (tmp_path / "damaged.gz").write_bytes(damaged)
        with pytest.raises(OSError, match=r"damaged\.gz is a damaged gzip file"):
            read_idx(tmp_path / "damaged.gz")


@pytest.mark.parametrize("zipped", [False, True])
def test_no_memory_is_taken_for_a_promise(tmp_path, zipped):
    path = tmp_path / "liar"
    # Within what deflate could hold, so that only reading on shows that it is wrong.
    noise = np.random.default_rng(0).bytes(100_000)
    content = header(0x08, 90_000_000) + noise
    path.write_bytes(gzip.compress(content) if zipped else content)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="liar"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_an_array_or_an_oserror(tmp_path, content, zipped):
    path = tmp_path / "fuzz"
    path.write_bytes(b"\0\0\x08" + content if not zipped else gzip.compress(b"\0\0\x08" + content))
    try:
        array = read_idx(path)
    except OSError as error:
        assert str(path) in str(error)
    else:
        assert array.tobytes() == content[1 + 4 * array.ndim :]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros(3, dtype=np.int64), TypeError, r"write_idx cannot store int64; IDX supports uint8.*labels\.astype"),
        (np.zeros(3, dtype=bool), TypeError, "write_idx cannot store bool"),
        (np.uint8(3), ValueError, r"write_idx expects 1 to 32 axes below 2\*\*32, got shape \(\)"),
    ],
)
def test_what_cannot_be_written(tmp_path, array, error, message):
    with pytest.raises(error, match=message):
        write_idx(tmp_path / "a", array)
    assert not (tmp_path / "a").exists()


def make(folder, names=("train", "t10k"), mark="-", end="", images=None, labels=None):
    rng = np.random.default_rng(0)
    for name, count in zip(names, (6, 4), strict=True):
        x = rng.integers(0, 256, (count, 5, 4), dtype=np.uint8) if images is None else images
        y = rng.integers(0, 10, count, dtype=np.uint8) if labels is None else labels
        write_idx(folder / f"{name}-images{mark}idx3-ubyte{end}", x)
        write_idx(folder / f"{name}-labels{mark}idx1-ubyte{end}", y)


@pytest.mark.parametrize("names", [("train", "t10k"), ("train", "test")])
@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_load_idx(tmp_path, names, mark, end):
    make(tmp_path, names, mark, end)
    (x_train, y_train), (x_test, y_test) = load_idx(tmp_path)
    assert x_train.shape == (6, 5, 4, 1) and x_test.shape == (4, 5, 4, 1)
    assert x_train.dtype == np.uint8 and y_train.dtype == y_test.dtype == np.int64
    assert np.array_equal(x_train[..., 0], read_idx(tmp_path / f"train-images{mark}idx3-ubyte{end}"))
    assert y_test.tolist() == read_idx(tmp_path / f"{names[1]}-labels{mark}idx1-ubyte{end}").tolist()


def test_load_idx_passes_over_folders_of_the_same_name(tmp_path):
    make(tmp_path, end=".gz")
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert load_idx(str(tmp_path))[0][0].shape == (6, 5, 4, 1)


def test_load_idx_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"load_idx: there is no folder .*nowhere"):
        load_idx(tmp_path / "nowhere")
    make(tmp_path)
    with pytest.raises(NotADirectoryError, match="load_idx expects the folder with the four files, got the file"):
        load_idx(tmp_path / "train-images-idx3-ubyte")
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no t10k-labels-idx1-ubyte\[\.gz\] \(looked for .*test-labels"):
        load_idx(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (
            np.zeros((3, 4), np.uint8),
            None,
            "images-idx3-ubyte should hold uint8 images of three axes, but holds uint8 of",
        ),
        (np.zeros((6, 5, 4), np.int16), None, "should hold uint8 images of three axes, but holds int16 of shape"),
        (np.zeros((7, 5, 4), np.uint8), None, r"holds 7 images and .*train-labels-idx1-ubyte 6 labels"),
        (np.zeros((0, 5, 4), np.uint8), None, r"holds no pixels: its shape is \(0, 5, 4\)"),
        (None, np.zeros(6, np.float32), "labels-idx1-ubyte should hold integer labels of one axis, but holds float32"),
        (None, np.zeros((6, 1), np.uint8), "should hold integer labels of one axis, but holds uint8 of shape"),
    ],
)
def test_load_idx_with_files_that_do_not_fit(tmp_path, images, labels, message):
    make(tmp_path, images=images, labels=labels)
    with pytest.raises(OSError, match=message):
        load_idx(tmp_path)


def test_load_idx_with_two_image_sizes(tmp_path):
    make(tmp_path)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((4, 5, 5), np.uint8))
    with pytest.raises(OSError, match=r"t10k-images-idx3-ubyte holds images of 5x5, .*train-images-idx3-ubyte of 5x4"):
        load_idx(tmp_path)


@pytest.mark.skipif(not FASHION.exists(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_fashion_mnist():
    (x_train, y_train), (x_test, y_test) = load_idx(FASHION)
    assert x_train.shape == (60000, 28, 28, 1) and x_test.shape == (10000, 28, 28, 1)
    assert np.bincount(y_train).tolist() == [6000] * 10 and np.bincount(y_test).tolist() == [1000] * 10
    assert y_train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert round(x_train.mean() / 255, 4) == 0.2860
