"""JPEGs by simplejpeg: the pixels of Pillow, and Pillow itself where a file is not a plain one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

from striate.data import jpeg, read_image

Image = pytest.importorskip("PIL.Image", reason="needs striate[data]")
pytest.importorskip("simplejpeg", reason="needs striate[jpeg]")


def picture(height: int, width: int, seed: int = 0) -> Any:
    """Smooth colours with some noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((width, height))
    noise = rng.integers(-20, 20, (height, width, 3))
    return Image.fromarray((np.asarray(coarse).astype(int) + noise).clip(0, 255).astype(np.uint8))


def by_pillow(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(jpeg, "_is_installed", lambda: False)
        return read_image(path, **options)


@given(
    hs.integers(1, 70), hs.integers(1, 70), hs.sampled_from(["L", "RGB"]), hs.integers(30, 98), hs.integers(0, 2),
    hs.booleans(), hs.sampled_from([None, (16, 16), (40, 30)]), hs.sampled_from([None, "rgb", "grayscale", "rgba"]),
    hs.sampled_from(["uint8", "float32"]),
)  # fmt: skip
def test_pixels_are_those_of_pillow(
    tmp_path_factory: Any, height: int, width: int, mode: str, quality: int, sampling: int, progressive: bool,
    size: Any, color_mode: Any, dtype: Any,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("jpeg") / "a.jpg"
    picture(height, width).convert(mode).save(path, quality=quality, subsampling=sampling, progressive=progressive)
    assert jpeg.read_jpeg(path, None) is not None
    options: dict[str, Any] = {"size": size, "color_mode": color_mode, "dtype": dtype}
    found = read_image(path, **options)
    with pytest.MonkeyPatch.context() as patch:
        expected = by_pillow(path, patch, **options)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.abs(found.astype(float) - expected.astype(float)).max() <= 1  # builds of libjpeg-turbo may round
    assert found.flags.writeable and found.flags.c_contiguous


def variants(folder: Path) -> dict[str, Path]:
    made = {name: folder / f"{name}.jpg" for name in ("turned", "xmp", "cmyk", "rgb", "large", "cut", "text", "empty")}
    plain = picture(30, 20)
    exif = Image.Exif()
    exif[274] = 6
    plain.save(made["turned"], exif=exif)
    plain.save(made["xmp"], xmp=b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>')
    plain.convert("CMYK").save(made["cmyk"])
    plain.save(made["rgb"], keep_rgb=True)
    picture(300, 200).save(made["large"])
    picture(30, 20).save(made["cut"])
    made["cut"].write_bytes(made["cut"].read_bytes()[:400])
    made["text"].write_text("no picture")
    made["empty"].write_bytes(b"")
    return made


def test_other_files_are_left_to_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in variants(tmp_path).items():
        assert jpeg.read_jpeg(path, (16, 16)) is None, name
        if name in ("cut", "text", "empty"):
            with pytest.raises(OSError, match=f"cannot read the image .*{name}.jpg"):
                read_image(path)
        else:
            assert np.array_equal(read_image(path, size=16), by_pillow(path, monkeypatch, size=16))
    picture(30, 20).save(tmp_path / "a.png")
    assert jpeg.read_jpeg(tmp_path / "a.png", None) is None
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.jpg")


def test_an_upright_exif_and_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = 1, "a camera"
    picture(30, 20).save(tmp_path / "a.jpg", exif=exif)
    assert jpeg.read_jpeg(tmp_path / "a.jpg", None) is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert jpeg.read_jpeg(tmp_path / "a.jpg", None) is None
    with pytest.raises(OSError, match="decompression bomb"):
        read_image(tmp_path / "a.jpg")
