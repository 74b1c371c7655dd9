"""Folders of pictures as scanners, cameras and the web leave them: endings, DICOM, pages, deep greys, odd files."""

import os
import socket
import struct
import zlib

import numpy as np
import pytest
from annotated import picture
from PIL import Image
from test_dicom import make

from striate.data import Augment, SegmentationFolder, image_dataset_from_directory, load_idx, read_idx, read_image


def grey(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values)).save(path, **options)
    return path


def read(root, **options):
    return image_dataset_from_directory(root, image_size=8, color_mode="grayscale", shuffle=False, **options)


def test_endings_that_are_read(tmp_path):
    kinds = {"jfif": "JPEG", "jpe": "JPEG", "webp": "WEBP", "ppm": "PPM", "PNM": "PPM", "dib": "DIB", "tga": "TGA"}
    for kind, form in {**kinds, "JP2": "JPEG2000", "gif": "GIF"}.items():
        for name in "ab":
            picture(tmp_path / name / f"1.{kind}", format=form)
    data = read(tmp_path)
    assert len(data) == 18 and data.unused == []
    assert abs(data.images.astype(int) - 90).max() <= 2


def test_dicom_without_ending(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for file in ("IM0001", "1.2.840.113619.2.5"):
            make(tmp_path / name / file, np.full((8, 8), 77, np.uint8))
        (tmp_path / name / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
        (tmp_path / name / "notes.txt").write_text("x")
    data = read(tmp_path)
    assert len(data) == 4 and (data.images == 77).all()
    assert sorted({path.rsplit("/")[-1] for path, _ in data.unused}) == ["DICOMDIR", "notes.txt"]
    masks = tmp_path / "masks"
    grey(masks / "1.2.840.113619.2.5.png", np.eye(8, dtype=np.uint8))
    grey(masks / "IM0001.png", np.eye(8, dtype=np.uint8))
    assert len(SegmentationFolder(tmp_path / "a", masks)) == 2


@pytest.mark.parametrize("part", ["syntax", "meta", "preamble", "syntax and preamble"])
def test_dicom_without_meta(tmp_path, part):
    """Files of old scanners; without an ending too."""
    import pydicom

    stored = np.arange(48, dtype=np.int16).reshape(6, 8) * 300 - 5000
    path = make(tmp_path / "x.dcm", stored, WindowCenter=0, WindowWidth=10000)
    expected = read_image(path)
    dataset = pydicom.dcmread(path)
    if part != "preamble":
        del dataset.file_meta
    if "preamble" in part:
        dataset.preamble = None
    implicit = part != "syntax and preamble"
    dataset = pydicom.Dataset(dataset)
    for name in ("x.dcm", "x"):
        if part == "preamble":
            path.rename(tmp_path / name)
            path = tmp_path / name
            content = (path).read_bytes()
            path.write_bytes(content.removeprefix(content[:132]) if content[128:132] == b"DICM" else content)
        else:
            dataset.save_as(tmp_path / name, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        assert np.array_equal(read_image(tmp_path / name), expected)
        assert np.array_equal(read_image(tmp_path / name, dtype="float32")[..., 0], stored)
    data = image_dataset_from_directory(tmp_path, labels=None, image_size=None, color_mode="grayscale")
    assert (data.images == expected).all()


def test_pages_and_frames_are_told_of(tmp_path):
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 20, 30)]
    (tmp_path / "a").mkdir()
    pages[0].save(tmp_path / "a" / "stack.tif", save_all=True, append_images=pages[1:])
    make(tmp_path / "a" / "run.dcm", np.full((5, 8, 8), 10, np.uint8))
    pages[0].save(tmp_path / "a" / "film.gif", save_all=True, append_images=pages[1:])
    picture(tmp_path / "b" / "1.png")
    with pytest.warns(
        UserWarning, match=r"3 files have several pages or frames, and only the first of each is read; .*film\.gif"
    ):
        data = read(tmp_path)
    assert [path.rsplit("/")[-1] for path, _ in data.unused] == ["film.gif", "run.dcm", "stack.tif"]
    assert (data.images[:3] == 10).all()
    with pytest.warns(
        UserWarning, match=r"stack\.tif has several pages or frames, and the first is read; pass frame=0, 1"
    ):
        read_image(tmp_path / "a" / "stack.tif")
    assert read_image(tmp_path / "a" / "stack.tif", frame=2).max() == 30
    with pytest.warns(UserWarning, match=r"run\.dcm has several pages"):
        read_image(tmp_path / "a" / "run.dcm")


def test_what_may_be_a_picture_is_told_of(tmp_path):
    for name in "ab":
        picture(tmp_path / name / "1.png")
    for name in ("a/2.heic", "a/3.NEF", "b/scan"):
        (tmp_path / name).write_bytes(b"picture")
    picture(tmp_path / "loose.png")
    with pytest.warns(UserWarning, match=r"4 files are not read \(1 \.png, 1 \.heic, 1 \.nef, 1 without an ending\)"):
        data = read(tmp_path)
    reasons = {path.rsplit("/")[-1]: reason for path, reason in data.unused}
    assert sorted(reasons) == ["2.heic", "3.NEF", "loose.png", "scan"]
    assert reasons["loose.png"] == "it is in no folder of a class" and "not a DICOM file" in reasons["scan"]


def test_deep_greys_get_one_window(tmp_path):
    """Values of 0 .. 235 of 65,535 were black; now 0 .. 255, the same in every picture and every data set."""
    for place, top in enumerate((235, 118)):
        values = np.linspace(0, top, 64).round().astype(np.uint16).reshape(8, 8)
        grey(tmp_path / "train" / "ab"[place] / f"{place}.png", values)
    grey(tmp_path / "test" / "c.tif", np.full((8, 8), 59, np.uint16))
    with pytest.warns(
        UserWarning, match=r"2 of the files .* uses the values 0 \.\. 235, .*default_window=\(117\.5, 235"
    ):
        train = read(tmp_path / "train")
    assert train.default_window == (117.5, 235.0)
    assert train.images[0].min() == 0 and train.images[0].max() == 255 and train.images[1].max() == 128
    test = read(tmp_path / "test", labels=None, default_window=train.default_window)
    assert (test.images == 64).all() and test.default_window == (117.5, 235.0)
    path = tmp_path / "test" / "c.tif"
    assert (read_image(path, default_window=train.default_window) == 64).all()
    with pytest.warns(UserWarning, match=r"the values of .*c\.tif are within 59 \.\. 59 of 0 \.\. 65535"):
        assert (read_image(path) == 0).all()
    assert read(tmp_path / "train", dtype="float32").images.max() == 235


def test_the_full_range_stays_where_it_is_used(tmp_path):
    grey(tmp_path / "a" / "1.png", np.linspace(0, 40000, 64).astype(np.uint16).reshape(8, 8))
    grey(tmp_path / "b" / "1.png", np.full((8, 8), 257, np.uint16))
    data = read(tmp_path)
    assert data.default_window == (32767.5, 65535.0)
    assert data.images[0].max() == 156 and (data.images[1] == 1).all()


def test_hot_pixels_do_not_darken_a_set(tmp_path):
    values = np.tile(np.arange(200, dtype=np.uint16), (200, 1))
    values[3, 4] = 65535
    grey(tmp_path / "a.png", values)
    with pytest.warns(UserWarning, match=r"the data set uses the values 0 \.\. 199"):
        data = image_dataset_from_directory(tmp_path, labels=None, image_size=None, color_mode="grayscale")
    assert data.images.max() == 255 and np.median(data.images) == 128


def test_dicom_without_a_window_shares_one(tmp_path):
    for place, top in enumerate((1000, 4000)):
        ramp = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
        make(tmp_path / f"{place}.dcm", ramp, BitsStored=12, RescaleSlope=1, RescaleIntercept=-1000)
    make(tmp_path / "own.dcm", ramp, BitsStored=12, WindowCenter=2000, WindowWidth=4000)
    with pytest.warns(UserWarning, match=r"2 of the files .* uses the values -1000 \.\. 3000"):
        data = read(tmp_path, labels=None)
    assert data.default_window == (1000.0, 4000.0)
    assert data.images[0].max() == 64 and data.images[1].max() == 255
    assert abs(data.images[2].astype(int) - data.images[1]).max() <= 1  # by its own window
    one = read_image(tmp_path / "0.dcm", default_window=data.default_window)
    assert np.array_equal(one, data.images[0])


def test_both_parts_share_the_window_of_the_training(tmp_path):
    for place in range(20):
        grey(tmp_path / "ab"[place % 2] / f"{place}.png", np.full((8, 8), 10 * (place + 1), np.uint16))
    with pytest.warns(UserWarning, match="grey of more than 8 bits") as told:
        parts = read(tmp_path, validation_split=0.3, subset="both")
    assert len(told) == 1 and parts[0].default_window == parts[1].default_window


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "empty", "cut"])
def test_odd_files_are_refused_at_once(tmp_path, kind):
    """Reading a pipe waited for ever."""
    path = tmp_path / "x.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    else:
        picture(path)
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(OSError, match=r"x\.png"):
        read_image(path)
    with pytest.raises(OSError, match=r"x\.png"):
        read_idx(path)
    if kind != "folder":
        picture(tmp_path / "y.png")
        data = read(tmp_path, labels=None, skip_bad=True)
        assert len(data) == 1 and data.skipped[0][0] == str(path)


@pytest.mark.parametrize("name", ["a\0.png", "\ud800.png", "n" * 5000])
def test_names_that_no_file_can_have(tmp_path, name):
    for call in (read_image, read_idx, load_idx, image_dataset_from_directory):
        with pytest.raises((ValueError, OSError), match=r"no file can be named|too long|there is no|File name"):
            call(f"{tmp_path}/{name}")


def test_no_program_is_started_for_a_picture(tmp_path):
    """Pillow reads EPS by Ghostscript."""
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(OSError, match="not a picture that Pillow knows"):
        read_image(path)


def test_bombs_are_refused_with_the_way_out(tmp_path, monkeypatch):
    path = grey(tmp_path / "a.png", np.zeros((200, 200), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(OSError, match=r"Raise PIL\.Image\.MAX_IMAGE_PIXELS if you trust the file"):
        read_image(path)


def test_one_pixel(tmp_path):
    path = grey(tmp_path / "a.png", np.full((1, 1), 9, np.uint8))
    assert read_image(path, size=4, crop_to_aspect_ratio=True).tolist() == [[[9]] * 4] * 4
    assert read_image(path, size=(1, 3), pad_to_aspect_ratio=True).ravel().tolist() == [0, 9, 0]


def test_headers_that_promise_more_than_the_file_holds(tmp_path):
    """A TIFF of 289 bytes took 400 MB, and the missing strips were black without a word."""
    blank = Image.new("1", (4000, 4000))
    for name, options in (("a.png", {}), ("a.gif", {}), ("lzw.tif", {"compression": "tiff_lzw"})):
        blank.save(tmp_path / name, **options)
        assert read_image(tmp_path / name).shape == (4000, 4000, 1)
    blank.save(tmp_path / "fax.tif", compression="group4")
    assert read_image(tmp_path / "fax.tif").shape == (4000, 4000, 1)
    path = grey(tmp_path / "b.tif", np.zeros((4, 4), np.uint8))
    content = path.read_bytes()
    for height, message in (
        (6, "cover only a part of the picture"),
        (2**24, "bytes cannot hold the 4x16777216 pixels"),
    ):
        at = content.index(struct.pack("<HHI", 257, 4, 1)) if struct.pack("<HHI", 257, 4, 1) in content else -1
        short = at < 0
        at = content.index(struct.pack("<HHI", 257, 3 if short else 4, 1))
        changed = struct.pack("<HHII", 257, 4, 1, height)
        path.write_bytes(content[:at] + changed + content[at + 12 :])
        with pytest.raises(OSError, match=message):
            read_image(path)
    path = grey(tmp_path / "c.png", np.zeros((4, 4), np.uint8))
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 9000, 9000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(OSError, match="bytes cannot hold the 9000x9000 pixels of its header"):
        read_image(path)


@pytest.mark.parametrize("number", [-1, 2**31, 2**40, 2**63 - 1, 2**63, 2**64])
def test_numbers_out_of_range(tmp_path, number):
    path = picture(tmp_path / "a.png")
    for call in (
        lambda: read_image(path, size=number),
        lambda: read_image(path, size=(2, number)),
        lambda: read_image(path, frame=number),
        lambda: read(tmp_path, labels=[number]),
        lambda: Augment(shift=0.1).masks(np.zeros((1, 4, 4), np.uint8), [0], fill=number),
    ):
        with pytest.raises(ValueError, match=r"."):
            call()


def test_padding_to_extreme_proportions(tmp_path):
    path = picture(tmp_path / "a.png", 2000, 2000)
    with pytest.raises(ValueError, match="a picture of 2000x2000 padded to the proportions of 1048576x1"):
        read_image(path, size=(2**20, 1), pad_to_aspect_ratio=True)


def test_skip_bad_passes_over_pictures_that_need_a_window(tmp_path):
    picture(tmp_path / "i" / "a.png")
    grey(tmp_path / "i" / "b.tif", np.ones((20, 30), np.float32))
    with pytest.raises(ValueError, match=r"b\.tif holds 32-bit float values.* pass window="):
        read(tmp_path, labels=None)
    data = read(tmp_path, labels=None, skip_bad=True)
    assert len(data) == 1 and "pass window=" in data.skipped[0][1]
    for name in "ab":
        grey(tmp_path / "m" / f"{name}.png", np.zeros((20, 30), np.uint8))
    assert len(SegmentationFolder(tmp_path / "i", tmp_path / "m", skip_bad=True)) == 1
    for file in (tmp_path / "i" / "a.png", tmp_path / "m" / "a.png", tmp_path / "m" / "b.png"):
        file.unlink()
    with pytest.raises(OSError, match=r"none of 1 images could be read; the first: .*pass window="):
        read(tmp_path, labels=None, skip_bad=True)


def test_thumbnails_are_no_pages(tmp_path):
    """Slide scanners put smaller versions of the picture behind it."""
    page = Image.fromarray(np.full((8, 8), 10, np.uint8))
    small = Image.fromarray(np.full((2, 2), 10, np.uint8))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    with Image.open(tmp_path / "a.tif") as image:
        image.seek(1)
        assert image.tag_v2[254] == 1
    assert read_image(tmp_path / "a.tif").shape == (8, 8, 1)  # without a warning
    grey(tmp_path / "m" / "a.png", np.zeros((8, 8), np.uint8))
    (tmp_path / "i").mkdir()
    (tmp_path / "a.tif").rename(tmp_path / "i" / "a.tif")
    assert len(SegmentationFolder(tmp_path / "i", tmp_path / "m")) == 1
