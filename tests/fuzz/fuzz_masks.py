"""read_image and SegmentationFolder on any picture: documented errors only, and arrays of the promised form.

    python tests/fuzz/fuzz_masks.py [libFuzzer flags] CORPUS_DIR

The first byte chooses: the rest is the file itself, or a PNG, TIFF, BMP or PNM is made whose header fields and pixels
are taken from it, so that the decoders get behind the checks of their headers.
"""

from __future__ import annotations

import struct
import zlib

import atheris
import numpy as np
from PIL import Image
from python_target import documented, fuzz, scratch

with atheris.instrument_imports(include=["striate.data", "PIL"], enable_loader_override=False):
    import PIL.BmpImagePlugin
    import PIL.GifImagePlugin
    import PIL.ImageOps
    import PIL.PngImagePlugin
    import PIL.PpmImagePlugin
    import PIL.TiffImagePlugin  # noqa: F401  (instrumented where it is imported first)

    from striate.data import SegmentationFolder, read_image
    from striate.data.image import count_frames

FOLDER = scratch()
for part in ("images", "masks"):
    (FOLDER / part).mkdir()
MASK = FOLDER / "masks" / "a.png"
Image.fromarray(np.zeros((3, 5), np.uint8)).save(FOLDER / "images" / "a.png")
RULES = [None, "nonzero", "threshold", {0: 0, 1: 1, 255: 1}, {(0, 0, 0): 0, (255, 0, 0): 1}]
MOST_PIXELS = 2**20  # of the pictures that are made here


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(data: atheris.FuzzedDataProvider, width: int, height: int) -> bytes:
    depth, color = data.PickValueInList([1, 2, 4, 8, 16, 3]), data.PickValueInList([0, 2, 3, 4, 6, 5])
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, data.ConsumeIntInRange(0, 1))
    parts = [chunk(b"IHDR", head)]
    if data.ConsumeBool() or color == 3:
        parts.append(chunk(b"PLTE", data.ConsumeBytes(data.ConsumeIntInRange(0, 24))))
    if data.ConsumeBool():
        parts.append(chunk(b"tRNS", data.ConsumeBytes(data.ConsumeIntInRange(0, 6))))
    if data.ConsumeBool():
        exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([data.ConsumeIntInRange(0, 9)]) + b"\0" * 7
        parts.append(chunk(b"eXIf", exif))
    if data.ConsumeBool():
        parts.append(chunk(data.PickValueInList([b"acTL", b"fcTL", b"iCCP", b"zTXt", b"gAMA"]), data.ConsumeBytes(26)))
    pixels = data.ConsumeBytes(data.remaining_bytes()) + bytes((width * 8 + 1) * height)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b"")


def tiff(data: atheris.FuzzedDataProvider, width: int, height: int) -> bytes:
    order = data.PickValueInList(["<", ">"])
    bits = data.PickValueInList([1, 2, 4, 8, 12, 16, 32, 64, 7])
    channels = data.ConsumeIntInRange(0, 5)
    tags = {
        256: width, 257: height, 258: bits, 259: data.PickValueInList([1, 5, 7, 8, 32773, 2, 0]),
        262: data.ConsumeIntInRange(0, 9), 277: channels, 278: data.ConsumeIntInRange(0, 9),
        339: data.ConsumeIntInRange(0, 4), 274: data.ConsumeIntInRange(0, 9), 284: data.ConsumeIntInRange(0, 3),
        317: data.ConsumeIntInRange(0, 3), 338: data.ConsumeIntInRange(0, 3),
    }  # fmt: skip
    for _ in range(data.ConsumeIntInRange(0, 3)):
        tags[data.ConsumeIntInRange(250, 350)] = data.ConsumeIntInRange(0, 2**32 - 1)
    pixels = data.ConsumeBytes(data.remaining_bytes())
    if tags[259] == 8:
        pixels = zlib.compress(pixels, 1)
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {273: start, 279: len(pixels)}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, tags[tag] & (2**32 - 1)) for tag in sorted(tags))
    again = 8 if len(pixels) % 7 == 0 else 0  # a chain of pages that bites its tail
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", again) + pixels


def bmp(data: atheris.FuzzedDataProvider, width: int, height: int) -> bytes:
    bits = data.PickValueInList([1, 4, 8, 16, 24, 32, 7])
    colors = data.ConsumeIntInRange(0, 9)
    compression = data.ConsumeIntInRange(0, 4)
    palette = data.ConsumeBytes(4 * colors)
    pixels = data.ConsumeBytes(data.remaining_bytes())
    start = 54 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    sign = -1 if len(pixels) % 2 else 1
    info = struct.pack("<IiiHHIIiiII", 40, width, sign * height, 1, bits, compression, len(pixels), 0, 0, colors, 0)
    return head + info + palette + pixels


def pnm(data: atheris.FuzzedDataProvider, width: int, height: int) -> bytes:
    kind = data.PickValueInList([b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF", b"P0CMYK"])
    most = data.PickValueInList([1, 7, 255, 256, 65535, 0, 65536])
    return b"%s %d %d %d\n" % (kind, width, height, most) + data.ConsumeBytes(data.remaining_bytes())


def one_input(content: bytes) -> None:
    data = atheris.FuzzedDataProvider(content[1:])
    kind = content[0] if content else 0
    how, rule = kind % 6, RULES[kind // 6 % len(RULES)]
    if how < 2:
        MASK.write_bytes(content[1:])
    else:
        width = data.PickValueInList([5, 1, 3, 8, 0, 300, 70_000])
        height = data.PickValueInList([3, 1, 5, 8, 0, 300, 70_000])
        if width * height > MOST_PIXELS:
            width = 5
        MASK.write_bytes((png, tiff, bmp, pnm)[how - 2](data, width, min(height, MOST_PIXELS)))
    for options in ({}, {"dtype": "float32"}, {"window": "minmax", "color_mode": "rgb", "size": 4}):
        with documented(ValueError, OSError):
            image = read_image(MASK, **options)
            assert image.ndim == 3 and image.dtype == options.get("dtype", "uint8") and image.size
            assert options.get("size") is None or image.shape == (4, 4, 3)
    with documented(OSError):
        assert count_frames(MASK) >= 1
    with documented(ValueError, OSError):
        folder = SegmentationFolder(FOLDER / "images", FOLDER / "masks", values=rule)
        assert folder.labels.shape == (1, 3, 5) and folder.labels.min() >= 0
        assert folder.labels.max() < len(folder.class_names) <= (64 if rule is None else 2)


if __name__ == "__main__":
    fuzz(one_input)
