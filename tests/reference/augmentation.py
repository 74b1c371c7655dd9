"""Augmentation in float64: what is drawn, where pixels come from, and what becomes of their values.

A map is an array (2, 3). Row 0 gives the source column and row 1 the source row of an output pixel:
`source = matrix[:, :2] @ (column, row) + matrix[:, 2]`, where a pixel's coordinates are those of its centre.
"""

import numpy as np

AUGMENT, NOISE, ELASTIC, LAYERS = 2, 3, 4, 5  # the second words of the keys


def philox(seed, use, index, epoch, stream=0):
    """NumPy's Philox4x64-10 with the key (seed, use) and the counter (0, index, epoch, stream)."""
    counter = np.array([0, index, epoch, stream], dtype=np.uint64)
    return np.random.Philox(key=np.array([seed, use], dtype=np.uint64), counter=counter)


def uniforms(seed, use, index, epoch, count, stream=0):
    return np.array([int(word) >> 11 for word in philox(seed, use, index, epoch, stream).random_raw(count)]) / 2.0**53


def draw(augment, index, epoch, height, width):
    """The map of an image, its brightness in units of the range of values, its contrast, and its displacements."""
    u = uniforms(augment.seed, AUGMENT, index, epoch, 10)
    either_way = 2 * u - 1
    shift_y, shift_x = augment.shift if isinstance(augment.shift, tuple) else (augment.shift,) * 2
    low, high = augment.zoom if isinstance(augment.zoom, tuple) else (1 - augment.zoom, 1 + augment.zoom)
    cut = np.floor(u[6:8] * (2 * augment.crop + 1)) - augment.crop
    probability = [0.5 if flip is True else float(flip) for flip in (augment.flip_horizontal, augment.flip_vertical)]
    matrix = affine(
        height,
        width,
        flip_x=u[0] < probability[0],
        flip_y=u[1] < probability[1],
        angle=either_way[2] * augment.rotation,
        zoom=low + u[5] * (high - low),
        shift_x=either_way[4] * shift_x * width + cut[1],
        shift_y=either_way[3] * shift_y * height + cut[0],
    )
    offsets = None
    if augment.elastic:
        side = augment.elastic_grid + 3
        points = 2 * uniforms(augment.seed, ELASTIC, index, epoch, 2 * side * side).reshape(2, side, side) - 1
        points *= augment.elastic * np.array([width, height])[:, None, None]
        offsets = bend(points, height, width)
    return matrix, either_way[8] * augment.brightness, 1 + either_way[9] * augment.contrast, offsets


def affine(height, width, *, flip_x=False, flip_y=False, angle=0.0, zoom=1.0, shift_x=0.0, shift_y=0.0):
    """Flips, then turns counter-clockwise by degrees and zooms about the centre, by one factor or (across, down), then
    shifts right and down."""

    def about(x, y, linear):
        """A linear map that leaves the point (x, y) where it is."""
        return np.block([[linear, (np.array([[x], [y]]) - linear @ [[x], [y]])], [np.array([[0.0, 0.0, 1.0]])]])

    center = ((width - 1) / 2, (height - 1) / 2)
    flip = about(*center, np.diag([-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0]))
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn = about(*center, np.diag(np.broadcast_to(zoom, 2)) @ [[cos, sin], [-sin, cos]])  # rows of pixels go down
    shift = np.array([[1.0, 0, shift_x], [0, 1, shift_y], [0, 0, 1]])
    return np.linalg.inv(shift @ turn @ flip)[:2]


def bend(points, height, width):
    """Displacements (..., height, width) from control points (..., n + 3, n + 3), by uniform cubic B-splines."""

    def shares(size, cells):
        place = (np.arange(size) + 0.5) * cells / size
        distance = np.abs(place[:, None] + 1 - np.arange(cells + 3))
        near = 2 / 3 - distance**2 + distance**3 / 2
        return np.where(distance < 1, near, np.where(distance < 2, (2 - distance) ** 3 / 6, 0))

    return shares(height, points.shape[-2] - 3) @ points @ shares(width, points.shape[-1] - 3).T


def places(matrix, height, width, offsets=None):
    """Source columns and rows of all pixels."""
    grid = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
    x, y = np.einsum("ij,jhw->ihw", matrix, grid)
    return (x, y) if offsets is None else (x + offsets[0], y + offsets[1])


def at(image, y, x, fill_mode, fill):
    """The values at whole coordinates."""
    height, width = image.shape[:2]
    if fill_mode == "constant":
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        return np.where(inside[..., None], image[y.clip(0, height - 1), x.clip(0, width - 1)], fill)

    def source(i, n):
        if fill_mode == "nearest":
            return i.clip(0, n - 1)
        if fill_mode == "wrap":
            return i % n
        return np.minimum(i % (2 * n), 2 * n - 1 - i % (2 * n))  # mirrored about the edge of the outermost pixel

    return image[source(y, height), source(x, width)]


def sample(image, x, y, fill_mode, fill):
    """Bilinear."""
    image = image.astype(np.float64)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    upper = (1 - fx) * at(image, y0, x0, fill_mode, fill) + fx * at(image, y0, x0 + 1, fill_mode, fill)
    lower = (1 - fx) * at(image, y0 + 1, x0, fill_mode, fill) + fx * at(image, y0 + 1, x0 + 1, fill_mode, fill)
    return (1 - fy) * upper + fy * lower


def nearest(image, x, y, fill_mode, fill):
    return at(image, np.floor(y + 0.5).astype(int), np.floor(x + 0.5).astype(int), fill_mode, fill)


def philox32(seed, stream, step, blocks):
    """(blocks, 4) words of Philox4x32-10 with the key `seed` and the counters (block, step, stream)."""
    x = [np.arange(blocks, dtype=np.uint64), np.full(blocks, step, np.uint64)]
    x += [np.full(blocks, stream & 0xFFFFFFFF, np.uint64), np.full(blocks, stream >> 32, np.uint64)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [(b >> half) ^ x[1] ^ np.uint64(key[0]), b & low, (a >> half) ^ x[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(x, axis=1)


def noise(augment, index, epoch, size):
    """Standard normal numbers by Box and Muller (1958): in each group of 64, element e and element e + 32 share two
    words."""
    seed, stream, step, _ = (int(word) for word in philox(augment.seed, NOISE, index, epoch).random_raw(4))
    groups = -(-size // 64)
    # Element e of a group takes word e // 16 of block e % 16.
    words = philox32(seed, stream, step & 0xFFFFFFFF, groups * 16).reshape(groups, 16, 4)
    words = words.transpose(0, 2, 1).reshape(groups, 2, 32)
    radius = np.sqrt(-2 * np.log(((words[:, 0] >> np.uint64(8)) + 0.5) * 2.0**-24))
    angle = words[:, 1] * (2 * np.pi / 2**32)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:size]


def image(augment, image, index, epoch, rounded=True):
    """What becomes of one image (H, W, C)."""
    matrix, brightness, contrast, offsets = draw(augment, index, epoch, *image.shape[:2])
    x, y = places(matrix, *image.shape[:2], offsets)
    values = sample(image, x, y, augment.fill_mode, augment.fill_value)
    is_bytes = image.dtype == np.uint8
    low, high = augment.value_range or ((0, 255) if is_bytes else (0, 1))
    if augment.brightness or augment.contrast or augment.noise:
        mean = values.mean(axis=(0, 1))
        values = (values - mean) * contrast + mean + brightness * (high - low)
        if augment.noise:
            values += augment.noise * (high - low) * noise(augment, index, epoch, values.size).reshape(values.shape)
        if augment.value_range or is_bytes:
            values = values.clip(low, high)
    return np.rint(values) if is_bytes and rounded else values


def mask(augment, mask, index, epoch, fill=0):
    """What becomes of one mask (H, W)."""
    matrix, _, _, offsets = draw(augment, index, epoch, *mask.shape)
    x, y = places(matrix, *mask.shape, offsets)
    return nearest(mask[..., None], x, y, augment.fill_mode, fill)[..., 0]


def move_boxes(boxes, matrix):
    """The smallest upright boxes (M, 4) around the moved corners of boxes."""
    inverse = np.linalg.inv(matrix[:, :2])
    corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    moved = (corners - 0.5 - matrix[:, 2]) @ inverse.T + 0.5  # boxes count from the pixels' edges
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
