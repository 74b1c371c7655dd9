"""read_image on any DICOM file: documented errors only, and arrays of the promised form.

    python tests/fuzz/fuzz_dicom.py [libFuzzer flags] CORPUS_DIR

An input that begins with "F" is the file itself. Of any other the bytes choose the attributes of an image and its
pixels, so that pydicom and the pipeline of windows and tables get something to work on.
"""

from __future__ import annotations

import struct

import atheris
import numpy as np
from python_target import documented, fuzz, scratch

with atheris.instrument_imports(include=["striate.data", "pydicom"], enable_loader_override=False):
    import pydicom
    import pydicom.pixels
    import pydicom.pixels.decoders  # noqa: F401  (instrumented where it is imported first)

    from striate.data import read_image
    from striate.data.image import count_frames

FILE = scratch() / "a.dcm"
SYNTAXES = [b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.5", b"1.2.3", b""]
KINDS = [b"MONOCHROME2", b"MONOCHROME1", b"RGB", b"PALETTE COLOR", b"YBR_FULL", b"YBR_FULL_422", b"HSV", b""]
DECIMALS = [b"", b"0", b"1", b"-1024", b"40.5", b"1e300", b"nan", b"1\\2\\3", b"x", b"-0.0001"]


def element(group: int, number: int, kind: bytes, content: bytes) -> bytes:
    """An element in explicit little endian."""
    content += b"\0" if len(content) % 2 else b""
    if kind in (b"OB", b"OW", b"SQ", b"UN"):
        return struct.pack("<HH2sHI", group, number, kind, 0, len(content)) + content
    return struct.pack("<HH2sH", group, number, kind, len(content) & 0xFFFF) + content


def built(data: atheris.FuzzedDataProvider) -> bytes:
    """A file around an image of a few pixels."""

    def short(usual: list[int]) -> bytes:
        odd = not data.ConsumeIntInRange(0, 15)
        return struct.pack("<H", data.ConsumeIntInRange(0, 65535) if odd else data.PickValueInList(usual))

    def decimal() -> bytes:
        return data.PickValueInList(DECIMALS)

    def table(kinds: list[int]) -> bytes:
        return b"".join(short(kinds) for _ in range(3))

    def lut(group: int, number: int) -> bytes:
        entries = data.ConsumeIntInRange(0, 8)
        inner = element(0x28, 0x3002, b"US", table([entries, 0, 8, 16]))
        kind = data.PickValueInList([b"US", b"OW"])
        inner += element(0x28, 0x3006, kind, data.ConsumeBytes(2 * entries))
        return element(group, number, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)

    photometric = data.PickValueInList(KINDS)
    parts = [
        element(0x28, 2, b"US", short([3 if photometric in (b"RGB", b"YBR_FULL") else 1, 1, 3])),
        element(0x28, 4, b"CS", photometric),
        element(0x28, 6, b"US", short([0, 1])),
        element(0x28, 8, b"IS", data.PickValueInList([b"1", b"", b"2", b"0", b"-1", b"999999999", b"x"])),
        element(0x28, 0x10, b"US", short([4, 1, 2])),
        element(0x28, 0x11, b"US", short([4, 1, 6])),
        element(0x28, 0x100, b"US", short([8, 16, 1, 32])),
        element(0x28, 0x101, b"US", short([8, 12, 16, 1, 32])),
        element(0x28, 0x102, b"US", short([7, 11, 15, 0, 31])),
        element(0x28, 0x103, b"US", short([0, 1])),
    ]
    if data.ConsumeBool():
        parts.append(element(0x28, 0x120, b"US", short([0, 255, 4095])))
    if data.ConsumeBool():
        parts += [element(0x28, 0x1050, b"DS", decimal()), element(0x28, 0x1051, b"DS", decimal())]
        parts.append(element(0x28, 0x1056, b"CS", data.PickValueInList([b"LINEAR", b"SIGMOID", b"LINEAR_EXACT", b"?"])))
    if data.ConsumeBool():
        parts += [element(0x28, 0x1052, b"DS", decimal()), element(0x28, 0x1053, b"DS", decimal())]
    if photometric == b"PALETTE COLOR":
        parts += [element(0x28, 0x1101 + color, b"US", table([4, 0, 16, 8])) for color in range(3)]
        parts += [element(0x28, 0x1201 + color, b"OW", data.ConsumeBytes(8)) for color in range(3)]
    if data.ConsumeBool():
        parts.append(lut(0x28, 0x3000))
    if data.ConsumeBool():
        parts.append(lut(0x28, 0x3010))
    syntax = SYNTAXES[0] if data.ConsumeIntInRange(0, 7) else data.PickValueInList(SYNTAXES)
    head = b"" if not data.ConsumeIntInRange(0, 9) else b"\0" * 128 + b"DICM" + element(2, 0x10, b"UI", syntax)
    pixels = data.ConsumeBytes(data.remaining_bytes())
    pixels += bytes(64 if len(pixels) % 3 else 0)
    return head + b"".join(parts) + element(0x7FE0, 0x10, b"OW", pixels)


def one_input(content: bytes) -> None:
    FILE.write_bytes(content[1:] if content[:1] == b"F" else built(atheris.FuzzedDataProvider(content)))
    for options in ({}, {"dtype": "float32"}, {"frame": 1, "window": (40, 80), "size": 3, "color_mode": "rgb"}):
        with documented(ValueError, OSError):
            image = read_image(FILE, **options)
            assert image.ndim == 3 and image.dtype == options.get("dtype", "uint8") and image.size
            assert options.get("size") is None or image.shape == (3, 3, 3)
            assert np.isfinite(image).all() or "dtype" in options
    with documented(OSError):
        assert count_frames(FILE) >= 1


if __name__ == "__main__":
    fuzz(one_input)
