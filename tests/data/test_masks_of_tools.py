"""Masks as tools write them: JPEGs, 0/1 beside 0/255, numbered objects, palettes, transparency, EXIF orientation."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from striate.data import SegmentationFolder, read_image


def put(path, values, palette=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = values if isinstance(values, Image.Image) else Image.fromarray(np.asarray(values))
    if palette is not None:
        image.putpalette(palette)
    image.save(path, **options)


def folder(tmp_path, masks, size=(64, 64)):
    """The two folders, with a black image for each mask."""
    for name, values in masks.items():
        put(tmp_path / "m" / name, values)
        put(tmp_path / "i" / f"{name.split('.')[0]}.png", np.zeros((*size, 3), np.uint8))
    return tmp_path / "i", tmp_path / "m"


def disc(value=255):
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).ellipse((10, 10, 50, 45), fill=value)
    return mask


DISC = np.asarray(disc()) == 255


def test_jpegs(tmp_path):
    folders = folder(tmp_path, {"a.jpg": disc(), "b.jpeg": disc()})
    with pytest.raises(ValueError, match=r'a\.jpg is a JPEG, whose compression changes .* pass values="threshold"'):
        SegmentationFolder(*folders)
    data = SegmentationFolder(*folders, values="threshold")
    assert data.class_names == ["0", "1"] and (data.labels == DISC).mean() > 0.995
    with pytest.raises(ValueError, match="which is not among values; it is a JPEG, whose compression changes values"):
        SegmentationFolder(*folders, values={0: 0, 255: 1})
    put(tmp_path / "i" / "c.png", np.zeros((64, 64, 3), np.uint8))
    put(tmp_path / "m" / "c.jpg", np.zeros((64, 64), np.uint8))  # exact
    data = SegmentationFolder(*folders, skip_bad=True)
    assert len(data) == 1 and [path.rsplit("/")[-1] for path, _ in data.skipped] == ["a.png", "b.png"]


def test_0_and_1_beside_0_and_255(tmp_path):
    folders = folder(tmp_path, {"a.png": disc(), "b.png": disc(1)})
    with pytest.raises(ValueError, match=r"255 in .*a\.png, 0, 1 in .*b\.png.* values=\{0: 0, 1: 1, 255: 1\}"):
        SegmentationFolder(*folders, skip_bad=True)
    with pytest.raises(ValueError, match=r"a\.png holds 255, but there are 2 classes.* values=\{0: 0, 1: 1, 255: 1\}"):
        SegmentationFolder(*folders, class_names=["no", "yes"])
    for values in ({0: 0, 1: 1, 255: 1}, "nonzero"):
        data = SegmentationFolder(*folders, values=values)
        assert (data.labels == DISC).all() and len(data.class_names) == 2
    assert np.unique(SegmentationFolder(*folders, ignore_class=255).labels).tolist() == [0, 1, 255]


def test_numbered_objects(tmp_path):
    numbers = np.repeat(np.arange(184, dtype=np.uint8), 2)[: 16 * 23].reshape(16, 23)
    folders = folder(tmp_path, {"a.png": numbers}, (16, 23))
    with pytest.raises(ValueError, match=r'would be 184 classes\. If the values number objects, pass values="nonzero"'):
        SegmentationFolder(*folders)
    assert np.array_equal(SegmentationFolder(*folders, values="nonzero").labels[0], numbers > 0)
    named = SegmentationFolder(*folders, class_names=[f"c{number}" for number in range(184)])
    assert np.array_equal(named.labels[0], numbers)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 50, 100, 200], "would be 201 classes"),
        ([0, 63, 64], "would be 65 classes"),
        ([1, 2, 3], r"no mask holds 0; .* count from 1, pass values=\{1: 0, 2: 1, 3: 2\}"),
        ([7], r"no mask holds 0; .* count from 7, pass values=\{7: 0\}"),
        ([0, 15], r"so there are 16, of which 14 never occur\. Pass class_names"),
        ([0, 20, 40, 60], "so there are 61, of which 57 never occur"),
        ([0, 1, 2, 4], None),
        ([0, 2], None),
        ([0, 255], None),
        ([0], None),
        ([255], None),
    ],
)
def test_values_that_may_be_no_classes(tmp_path, values, message):
    mask = np.resize(np.array(values, np.uint8), (4, 6))
    folders = folder(tmp_path, {"a.png": mask}, (4, 6))
    if message is None:
        data = SegmentationFolder(*folders)
        assert np.array_equal(data.labels[0], mask // 255 if max(values) == 255 else mask)
    elif "would" in message:
        with pytest.raises(ValueError, match=message):
            SegmentationFolder(*folders)
    else:
        with pytest.warns(UserWarning, match=message):
            data = SegmentationFolder(*folders)
        assert np.array_equal(data.labels[0], mask)
    classes = [f"c{number}" for number in range(256)]
    assert len(SegmentationFolder(*folders, class_names=classes)) == 1  # named: as they are


def test_palettes_must_agree(tmp_path):
    """Programs that save few colours number them anew in each file."""
    red, blue = [255, 0, 0], [0, 0, 255]
    indices = np.array([[0, 1], [1, 2]], np.uint8)
    for name, palette in (("a", [0, 0, 0, *red, *blue]), ("b", [0, 0, 0, *blue, *red])):
        put(tmp_path / "m" / f"{name}.png", indices, palette)
        put(tmp_path / "i" / f"{name}.png", np.zeros((2, 2, 3), np.uint8))
    folders = tmp_path / "i", tmp_path / "m"
    with pytest.raises(
        ValueError, match=r"palettes .* differ: 1 is the colour \(255, 0, 0\) in .*a\.png and \(0, 0, 255\)"
    ):
        SegmentationFolder(*folders)
    by_color = SegmentationFolder(*folders, values={(0, 0, 0): 0, tuple(red): 1, tuple(blue): 2})
    assert by_color.labels.tolist() == [[[0, 1], [1, 2]], [[0, 2], [2, 1]]]
    by_index = SegmentationFolder(*folders, values={0: 0, 1: 1, 2: 2})
    assert by_index.labels.tolist() == [indices.tolist()] * 2


def test_names_that_differ_in_case(tmp_path):
    put(tmp_path / "i" / "Scan1.png", np.zeros((2, 2, 3), np.uint8))
    put(tmp_path / "m" / "scan1.PNG", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"scan1\.PNG: the mask has no image; .*Scan1\.png differs in case"):
        SegmentationFolder(tmp_path / "i", tmp_path / "m")


@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_masks(tmp_path, channels):
    values = np.full((4, 6, channels), 1, np.uint8)
    values[..., -1] = 255
    folders = folder(tmp_path, {"a.png": values}, (4, 6))
    with pytest.warns(UserWarning, match="no mask holds 0"):
        assert (SegmentationFolder(*folders).labels == 1).all()
    values[0, 0, -1] = 0
    folder(tmp_path, {"a.png": values}, (4, 6))
    with pytest.raises(ValueError, match=r"a\.png has transparent pixels"):
        SegmentationFolder(*folders)


@pytest.mark.parametrize("orientation", range(5, 9))
def test_masks_of_pictures_that_exif_turns(tmp_path, orientation):
    """A mask that was drawn on the picture as it is stored turns with it."""
    stored = Image.new("RGB", (30, 20))
    stored.paste((255, 255, 255), (2, 3, 12, 9))
    exif = Image.Exif()
    exif[274] = orientation
    put(tmp_path / "i" / "a.png", stored, exif=exif)
    put(tmp_path / "m" / "a.png", stored.convert("L"))
    data = SegmentationFolder(tmp_path / "i", tmp_path / "m")
    assert data.labels.shape == (1, 30, 20) and data.labels.sum() == 60
    assert np.array_equal(data.labels[0] * 255, data.images[0, ..., 0])
    put(tmp_path / "m" / "a.png", stored.convert("L").crop((0, 0, 29, 20)))
    with pytest.raises(ValueError, match=r"is 20x29, its image .* 30x20"):
        SegmentationFolder(tmp_path / "i", tmp_path / "m")


def test_gifs_hold_colours(tmp_path):
    """Pillow and others number the colours of each GIF anew: the classes 0 and 3 became 0 and 1."""
    mask = np.array([[0, 3], [3, 0]], np.uint8)
    data = SegmentationFolder(*folder(tmp_path, {"a.gif": mask}, (2, 2)), class_names="abcd")
    assert data.labels[0].tolist() == mask.tolist()
    red = np.zeros((2, 2, 3), np.uint8)
    red[0, 0] = 255, 0, 0
    folders = folder(tmp_path, {"a.gif": red}, (2, 2))
    with pytest.raises(ValueError, match=r"a\.gif is in colour"):
        SegmentationFolder(*folders)
    data = SegmentationFolder(*folders, values={(0, 0, 0): 0, (255, 0, 0): 1})
    assert data.labels[0].tolist() == [[1, 0], [0, 0]]


def png(color, values):
    """A PNG of 16 bits in each of several channels, which Pillow cannot write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, color, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_in_several_channels(tmp_path, color, channels):
    """Of which Pillow keeps the upper 8: classes and dark pictures became 0 without a word."""
    folders = folder(tmp_path, {"a.png": disc(1)})
    dark = np.full((64, 64, channels), 3)
    if channels != 3:
        dark[..., -1] = 65535
    (tmp_path / "m" / "a.png").write_bytes(png(color, dark))
    with pytest.raises(ValueError, match=r"a\.png has 16 bits in several channels; save it as one channel"):
        SegmentationFolder(*folders)
    with pytest.warns(UserWarning, match=r"a\.png is nearly black: it has 16 bits in several channels"):
        read_image(tmp_path / "m" / "a.png")
    (tmp_path / "m" / "a.png").write_bytes(png(color, np.full((64, 64, channels), 40_000)))
    assert (read_image(tmp_path / "m" / "a.png") == 156).all()
