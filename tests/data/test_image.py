import itertools
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from striate.data import read_image
from striate.data.intensity import stretch, stretch_window, to_uint8


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("end", "channels"),
    [*itertools.product(("png", "tif", "tiff"), (1, 3, 4)), ("bmp", 1), ("bmp", 3)],
)
def test_lossless_formats_come_back_as_stored(tmp_path, rng, end, channels):
    array = rng.integers(0, 256, (7, 5, channels), dtype=np.uint8)
    got = read_image(save(tmp_path / f"a.{end}", array[..., 0] if channels == 1 else array))
    assert got.dtype == np.uint8 and got.shape == (7, 5, channels)
    assert np.array_equal(got, array)
    assert got.flags.writeable and got.flags.c_contiguous
    raw = read_image(str(tmp_path / f"a.{end}"), dtype="float32")
    assert raw.dtype == np.float32 and np.array_equal(raw, array)


def test_jpeg_is_what_pillow_decodes(tmp_path, rng):
    array = rng.integers(0, 256, (24, 16, 3), dtype=np.uint8)
    path = save(tmp_path / "a.JPG", array, quality=95)
    assert np.array_equal(read_image(path), np.asarray(Image.open(path)))
    grey = read_image(path, color_mode="grayscale")
    assert np.array_equal(grey[..., 0], np.asarray(Image.open(path).convert("L")))


@pytest.mark.parametrize(("mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
@pytest.mark.parametrize("source", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
def test_color_modes(tmp_path, rng, mode, channels, source):
    if source == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (6, 5), dtype=np.uint16))
    else:
        image = Image.fromarray(rng.integers(0, 256, (6, 5, 4), dtype=np.uint8)).convert(source)
    image.save(tmp_path / "a.png")
    got = read_image(tmp_path / "a.png", color_mode=mode)
    assert got.shape == (6, 5, channels) and got.dtype == np.uint8
    if source != "I;16":
        pillow = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}[mode]
        through = image.convert("RGB") if source == "P" and mode == "grayscale" else image
        assert np.array_equal(got.squeeze(-1) if channels == 1 else got, np.asarray(through.convert(pillow)))
    elif channels > 1:
        assert np.array_equal(got[..., 0], got[..., 1]) and np.array_equal(got[..., 0], got[..., 2])
        assert channels == 3 or (got[..., 3] == 255).all()


def test_no_color_mode_keeps_what_is_there(tmp_path, rng):
    base = Image.fromarray(rng.integers(0, 256, (6, 5, 4), dtype=np.uint8))
    shapes = {}
    for mode in ("L", "LA", "RGB", "RGBA", "P", "1", "CMYK"):
        end = "tif" if mode == "CMYK" else "png"
        (base.convert("RGB") if mode == "P" else base).convert(mode).save(tmp_path / f"{mode}.{end}")
        shapes[mode] = read_image(tmp_path / f"{mode}.{end}").shape[2]
    assert shapes == {"L": 1, "LA": 4, "RGB": 3, "RGBA": 4, "P": 3, "1": 1, "CMYK": 3}
    base.convert("L").convert("P").save(tmp_path / "g.png")
    assert np.array_equal(read_image(tmp_path / "g.png")[..., 0], np.asarray(base.convert("L")))
    transparent = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "L").convert("P")
    transparent.save(tmp_path / "t.png", transparency=0)
    assert read_image(tmp_path / "t.png")[0, :, 3].tolist() == [0, 255]


def test_one_bit_is_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").ravel().tolist() == [255, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("end", ["jpg", "png", "tif"])
def test_exif_orientation(tmp_path, rng, orientation, end):
    array = rng.integers(0, 256, (16, 8), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(
        tmp_path / f"a.{end}", array, **({"tiffinfo": {0x0112: orientation}} if end == "tif" else {"exif": exif})
    )
    with Image.open(path) as image:
        stored = array if end != "jpg" else np.asarray(image)
    turned = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: np.rot90(stored, -1),
        7: np.rot90(stored.T, 2),
        8: np.rot90(stored),
    }[orientation]
    assert np.array_equal(read_image(path)[..., 0], turned)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_grey(tmp_path, rng, order):
    array = rng.integers(0, 65536, (6, 5)).astype(np.uint16)
    array[0, :2] = 0, 65535
    if order == "<":
        paths = [save(tmp_path / "a.png", array), save(tmp_path / "a.tif", array)]
    else:
        paths = [save(tmp_path / "b.tif", array.astype(">u2"))]
    for path in paths:
        assert np.array_equal(read_image(path, dtype="float32")[..., 0], array)
        assert np.array_equal(read_image(path)[..., 0], np.rint(array / 257))
        assert np.array_equal(
            read_image(path, window=(1000, 400))[..., 0], np.rint(np.clip((array - 800.0) / 400, 0, 1) * 255)
        )


def tiff(values, bits, photometric):
    """A little-endian grey TIFF of one strip, as its specification lays it out."""
    entries = [
        (256, 3, 1, values.shape[1]),
        (257, 3, 1, values.shape[0]),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8 + 2 + 8 * 12 + 4),
        (278, 3, 1, values.shape[0]),
        (279, 4, 1, values.nbytes),
    ]
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + ifd + values.tobytes()


def test_tiff_whose_zero_is_white(tmp_path):
    values = np.array([[0, 256, 65535]], dtype="<u2")
    (tmp_path / "white.tif").write_bytes(tiff(values, 16, 0))
    (tmp_path / "black.tif").write_bytes(tiff(values, 16, 1))
    assert read_image(tmp_path / "black.tif").ravel().tolist() == [0, 1, 255]
    assert read_image(tmp_path / "white.tif").ravel().tolist() == [255, 254, 0]
    (tmp_path / "white8.tif").write_bytes(tiff(np.array([[0, 1, 255]], dtype=np.uint8), 8, 0))
    assert read_image(tmp_path / "white8.tif").ravel().tolist() == [255, 254, 0]


def test_twelve_bit_tiff_reaches_white(tmp_path):
    # Two 12-bit values in three bytes: 0xfff and 0x800.
    (tmp_path / "a.tif").write_bytes(tiff(np.array([[0xFF, 0xF8]], np.uint8), 12, 1)[:-2] + b"\xff\xf8\x00")
    assert read_image(tmp_path / "a.tif", dtype="float32").ravel().tolist() == [4095, 2048]
    assert read_image(tmp_path / "a.tif").ravel().tolist() == [255, 128]


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([[-1.5, 0.0, 2.5]], dtype=np.float32), "32-bit float"),
        (np.array([[-100, 0, 100_000]], dtype=np.int32), "signed or 32-bit"),
    ],
)
def test_values_without_a_known_range_need_a_window(tmp_path, array, kind):
    path = save(tmp_path / "a.tif", array)
    with pytest.raises(ValueError, match=rf"^read_image: .*a\.tif holds {kind} values, .*window='minmax'"):
        read_image(path)
    assert np.array_equal(read_image(path, dtype="float32")[..., 0], array)
    low, high = array.min(), array.max()
    expected = np.rint((array.astype(float) - low) / (float(high) - low) * 255)
    assert np.array_equal(read_image(path, window="minmax")[..., 0], expected)
    half = (float(low) + float(high)) / 2
    assert np.array_equal(read_image(path, window=(half, float(high) - low))[..., 0], expected)


def test_not_a_number_is_black(tmp_path):
    path = save(tmp_path / "a.tif", np.array([[np.nan, -np.inf, np.inf, 0, 1]], dtype=np.float32))
    assert read_image(path, window="minmax").ravel().tolist() == [0, 0, 255, 0, 255]


def test_a_window_on_eight_bits(tmp_path):
    path = save(tmp_path / "a.png", np.array([[90, 100, 110, 120]], dtype=np.uint8))
    assert read_image(path, window=(105, 10)).ravel().tolist() == [0, 0, 255, 255]
    assert read_image(path, window=(105, 30), dtype="float32").ravel().tolist() == pytest.approx([0, 85, 170, 255])
    Image.fromarray(np.array([[[100, 9], [110, 9]]], dtype=np.uint8)).save(tmp_path / "c.png")
    assert read_image(tmp_path / "c.png", window=(105, 10)).ravel().tolist() == [0, 255]
    colored = save(tmp_path / "b.png", np.zeros((2, 2, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"a window is for grey images, but .*b\.png is RGB"):
        read_image(colored, window=(1, 1))


@pytest.mark.parametrize("end", ["gif", "tif", "png", "webp"])
def test_frames(tmp_path, end):
    frames = [Image.fromarray(np.full((4, 3), value, dtype=np.uint8)) for value in (10, 20, 30)]
    path = tmp_path / f"a.{end}"
    more = {"lossless": True} if end == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **more)
    assert [int(read_image(path, color_mode="grayscale", frame=n).max()) for n in range(3)] == [10, 20, 30]
    message = rf"a\.{end} has several pages or frames, and the first is read; pass frame=0, 1"
    with pytest.warns(UserWarning, match=message):
        assert read_image(path, color_mode="grayscale").max() == 10
    with pytest.raises(ValueError, match=rf"^read_image: .*a\.{end} has 3 frames, so no frame 3$"):
        read_image(path, frame=3)


def test_a_single_frame(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((2, 2), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"a\.png has 1 frame, so no frame 1$"):
        read_image(path, frame=1)


@pytest.mark.parametrize(
    ("name", "pillow"),
    [("nearest", 0), ("bilinear", 2), ("bicubic", 3), ("area", 4), ("lanczos3", 1)],
)
def test_resizing_is_pillows(tmp_path, rng, name, pillow):
    array = rng.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    path = save(tmp_path / "a.png", array)
    got = read_image(path, size=(7, 30), interpolation=name)
    assert np.array_equal(got, np.asarray(Image.fromarray(array).resize((30, 7), Image.Resampling(pillow))))


def test_size_is_height_and_width(tmp_path, rng):
    path = save(tmp_path / "a.png", rng.integers(0, 256, (12, 20), dtype=np.uint8))
    assert read_image(path, size=(4, 9)).shape == (4, 9, 1)
    assert read_image(path, size=6).shape == (6, 6, 1)
    assert np.array_equal(read_image(path, size=(12, 20)), read_image(path))


def test_deep_values_are_rounded_once(tmp_path):
    path = save(tmp_path / "a.png", np.array([[0, 514]], dtype=np.uint16))
    assert read_image(path, size=1, default_window=(32767.5, 65535)).item() == 1
    with pytest.warns(UserWarning, match=r"the values of .*a\.png are within 0 \.\. 514 of 0 \.\. 65535"):
        assert read_image(path, size=1).item() == 1
    assert read_image(path, size=1, dtype="float32").item() == 257
    # Bicubic overshoots at the edge of black and white; that must not wrap around.
    path = save(tmp_path / "b.png", np.repeat(np.array([[0], [65535]], dtype=np.uint16), 8, axis=0))
    wide = read_image(path, size=(40, 1), interpolation="bicubic").ravel().astype(int)
    assert wide.min() == 0 and wide.max() == 255 and (np.diff(wide) >= 0).all()


def test_crop_and_pad_to_aspect_ratio(tmp_path):
    array = np.zeros((4, 12), dtype=np.uint8)
    array[:, 4:8] = 200
    path = save(tmp_path / "a.png", array)
    assert (read_image(path, size=2, crop_to_aspect_ratio=True) == 200).all()
    padded = read_image(save(tmp_path / "b.png", np.full((4, 12), 200, np.uint8)), size=12, pad_to_aspect_ratio=True)
    assert (padded[4:8] == 200).all() and not padded[:4].any() and not padded[8:].any()
    with pytest.raises(ValueError, match="read_image can crop to the aspect ratio or pad to it, not both"):
        read_image(path, size=2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_any_proportions_can_be_cropped_and_padded(height, width, to_height, to_width, crop):
    from striate.data.resize import resize

    image = Image.fromarray(np.full((height, width), 255, dtype=np.uint8))
    out = np.asarray(resize(image, (to_height, to_width), "BOX", crop, not crop))
    assert out.shape == (to_height, to_width)
    assert (out == 255).all() if crop else out.any()


def test_crop_takes_the_middle_by_keras_rule(tmp_path, rng):
    array = rng.integers(0, 256, (9, 16), dtype=np.uint8)
    path = save(tmp_path / "a.png", array)
    got = read_image(path, size=(3, 4), crop_to_aspect_ratio=True, interpolation="area")
    assert np.array_equal(got[..., 0], np.asarray(Image.fromarray(array[:, 2:14]).resize((4, 3), Image.Resampling.BOX)))


def test_a_large_jpeg_is_close_to_one_decoded_in_full(tmp_path):
    y, x = np.mgrid[:640, :800]
    array = np.stack([x * 255 // 799, y * 255 // 639, (x + y) % 256 // 2], axis=-1).astype(np.uint8)
    path = save(tmp_path / "a.jpg", array, quality=95)
    full = np.asarray(Image.open(path).resize((40, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_image(path, size=(32, 40)).astype(int) - full).max() <= 4


DAMAGE = {
    "empty.png": b"",
    "text.jpg": b"this is not a picture",
    "head.png": b"\x89PNG\r\n\x1a\n",
    "bomb.bmp": struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, 10**5, 10**5, 1, 24, 0, 0, 0, 0, 0, 0),
    "short.gif": b"GIF89a\x10\0\x10\0\x80\0\0",
    "short.tif": b"II*\0\x08\0\0\0\x01\0",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_no_picture(tmp_path, name):
    (tmp_path / name).write_bytes(DAMAGE[name])
    with pytest.raises(OSError, match=rf"^cannot read the image .*{re.escape(name)}: .") as error:
        read_image(tmp_path / name)
    if name.startswith(("empty", "text")):
        assert str(error.value).endswith("it is not a picture that Pillow knows")


@pytest.mark.parametrize("end", ["png", "jpg", "tif", "gif", "bmp"])
def test_truncated_pictures(tmp_path, rng, end):
    path = save(tmp_path / f"a.{end}", rng.integers(0, 256, (64, 64), dtype=np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OSError, match=rf"^cannot read the image .*a\.{end}: "):
        read_image(path)


@given(st.sampled_from(["png", "gif", "tiff", "bmp", "jpeg"]), st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_is_an_oserror_or_a_picture(tmp_path_factory, end, place, patch):
    path = tmp_path_factory.getbasetemp() / f"fuzz.{end}"
    Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)).save(path)
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place : place + len(patch)] = patch
    path.write_bytes(content)
    try:
        image = read_image(path, color_mode="grayscale", size=(4, 4), window="minmax")
    except (OSError, ValueError) as error:
        assert f"fuzz.{end}" in str(error)
    else:
        assert image.shape == (4, 4, 1) and image.dtype == np.uint8


def test_missing_and_wrong_kinds_of_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^read_image: there is no file .*nowhere\.png$"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(IsADirectoryError, match=r"^read_image expects a file, got the folder"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"color_mode": "gray"},
            ValueError,
            "read_image expects color_mode to be one of grayscale, rgb, rgba, or None",
        ),
        (
            {"interpolation": "cubic"},
            ValueError,
            "read_image expects interpolation to be one of nearest, bilinear, bic",
        ),
        ({"size": 0}, ValueError, "read_image expects a size of at least 1 pixel each way, got 0"),
        ({"size": (4, -1)}, ValueError, r"read_image expects a size of at least 1 pixel each way, got \(4, -1\)"),
        (
            {"size": (4, 4, 3)},
            TypeError,
            r"read_image expects a size of \(height, width\) in whole pixels, got \(4, 4, 3",
        ),
        ({"size": 2.5}, TypeError, r"read_image expects a size of \(height, width\) in whole pixels, got 2.5"),
        ({"size": "large"}, TypeError, "in whole pixels, got 'large'"),
        ({"dtype": "float64"}, ValueError, "read_image expects dtype to be one of uint8, float32, got 'float64'"),
        ({"frame": -1}, ValueError, "read_image expects a frame of 0 or more, got -1"),
        ({"window": "full"}, ValueError, r"read_image expects window=\(center, width\), 'minmax' or None, got 'full'"),
        ({"window": (1, 2, 3)}, ValueError, r"'minmax' or None, got \(1, 2, 3\)"),
        ({"window": (1, 0)}, ValueError, r"got \(1, 0\); the width must be above 0"),
        ({"window": (np.nan, 1)}, ValueError, "the width must be above 0"),
        ({"window": 40}, TypeError, "'minmax' or None, got 40"),
    ],
)
def test_wrong_arguments(tmp_path, options, error, message):
    path = save(tmp_path / "a.png", np.zeros((2, 2), dtype=np.uint8))
    with pytest.raises(error, match=message):
        read_image(path, **options)


def test_exif_is_applied_before_the_size(tmp_path, rng):
    array = rng.integers(0, 256, (16, 8), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.png", array, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).resize((10, 4), Image.Resampling.BILINEAR))
    assert np.array_equal(read_image(path, size=(4, 10))[..., 0], expected)


@given(
    hnp.arrays(np.float32, (3, 3), elements=st.floats(-1e6, 1e6, width=32)), st.floats(-1e3, 1e3), st.floats(1e-3, 1e4)
)
def test_stretch_keeps_order_and_range(values, center, width):
    for out in (stretch_window(values, (center, width)), stretch_window(values, "minmax")):
        assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 255
        order = np.argsort(values, axis=None, kind="stable")
        assert (np.diff(out.ravel()[order]) >= 0).all()


def test_stretch_of_nothing():
    assert stretch(np.full((2, 2), 7), 7, 7).tolist() == [[0, 0], [0, 0]]
    assert stretch_window(np.full((1, 1), np.nan), "minmax").tolist() == [[0]]
    assert to_uint8(np.array([-3.0, 0.4, 0.6, 254.6, 300.0, np.nan])).tolist() == [0, 0, 1, 255, 255, 0]
