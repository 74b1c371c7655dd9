"""Masks and boxes move with the pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from reference.augmentation import bend
from striate.data import Augment, augment

MOVES = {"flip_horizontal": True, "flip_vertical": True, "rotation": 25.0, "shift": 0.15, "zoom": 0.2, "crop": 2}
SEEDS = hs.integers(0, 2**64 - 1)
MODES = hs.sampled_from(["reflect", "wrap", "constant", "nearest"])


def regions(count, height=24, width=30, classes=4):
    """Masks of large regions: classes by quarters that differ from image to image."""
    rows, columns = np.mgrid[:height, :width]
    split = np.random.default_rng(0).integers(8, 16, (count, 2))
    masks = [(rows > y).astype(np.uint8) * 2 + (columns > x) for y, x in split]
    return np.array(masks, np.uint8) % classes


@given(hs.sets(hs.sampled_from(sorted(MOVES))), SEEDS, MODES, hs.integers(0, 99), hs.sampled_from([0.0, 0.1]))
def test_masks_move_as_images_do(names, seed, mode, epoch, elastic):
    """An image that shows its own mask shows its moved mask, but for the interpolated edges of regions."""
    aug = Augment(**{name: MOVES[name] for name in names}, seed=seed, fill_mode=mode, elastic=elastic)
    masks, indices = regions(6), np.arange(6) * 3
    one_hot = st.data.to_categorical(masks, 4)
    moved = aug.masks(masks, indices, epoch)
    assert moved.shape == masks.shape and moved.dtype == masks.dtype
    seen = aug(one_hot, indices, epoch)
    clear = seen.max(axis=-1) > 0.8  # of "constant", what comes in from outside is black, and no class
    assert clear.mean() > 0.4
    assert (seen.argmax(axis=-1) == moved)[clear].all()
    # Layers of a mask move alike.
    layers = aug.masks(one_hot.astype(bool), indices, epoch)
    assert layers.dtype == bool
    inside = aug.masks(np.ones_like(masks), indices, epoch).astype(bool)
    assert np.array_equal(layers[inside].argmax(axis=-1), moved[inside])


@given(SEEDS, hs.integers(0, 99))
def test_the_same_for_every_batch_split(seed, epoch):
    aug = Augment(**MOVES, elastic=0.08, seed=seed)
    masks, indices = regions(5), np.arange(5) + 7
    whole = aug.masks(masks, indices, epoch)
    parts = [aug.masks(masks[a : a + 1], indices[a : a + 1], epoch) for a in range(5)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    images = masks[..., None].astype(np.float32)
    parts = [aug(images[a : a + 1], indices[a : a + 1], epoch) for a in range(5)]
    assert np.concatenate(parts).tobytes() == aug(images, indices, epoch).tobytes()


def test_masks_keep_their_values_and_take_a_fill():
    masks = np.full((8, 12, 12), -7, np.int32)
    aug = Augment(shift=0.3, rotation=30, fill_mode="constant")
    assert set(np.unique(aug.masks(masks, np.arange(8)))) == {-7, 0}
    assert set(np.unique(aug.masks(masks, np.arange(8), fill=255))) == {-7, 255}
    assert (masks == -7).all()


@given(SEEDS, hs.integers(0, 99), hs.sets(hs.sampled_from(sorted(MOVES))))
def test_boxes_hold_what_they_held(seed, epoch, names):
    """The pixels of an object, moved, are in its moved box, and a box without a rotation fits them to the pixel."""
    aug = Augment(**{name: MOVES[name] for name in names}, seed=seed, fill_mode="constant")
    size = (40, 50)
    corners = np.array([[12, 10, 20, 26], [30, 5, 44, 15]])
    for number, (x1, y1, x2, y2) in enumerate(corners):
        mask = np.zeros((3, *size), np.uint8)
        mask[:, y1:y2, x1:x2] = 1
        moved = aug.masks(mask, np.arange(3), epoch)
        targets = [(corners[[number]].astype(np.float32), np.array([number]))] * 3
        for pixels, (boxes, labels) in zip(
            moved, aug.boxes(targets, np.arange(3), size, epoch, least_visible=0.0), strict=True
        ):
            rows, columns = np.nonzero(pixels)
            if not len(boxes):
                assert not len(rows)
                continue
            assert labels.tolist() == [number] and boxes.dtype == np.float32
            if not len(rows):
                continue
            seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (boxes[0, :2] <= seen[:2] + 0.51).all() and (boxes[0, 2:] >= seen[2:] - 0.51).all()
            if "rotation" not in names:
                np.testing.assert_allclose(boxes[0], seen, atol=0.51)


def test_flips_of_boxes_are_exact():
    target = (np.array([[1, 2, 5, 9], [0, 0, 10, 12]], np.float32), np.array([3, 4]), np.array([True, False]))
    size = (12, 10)
    (boxes, labels, crowd), other = Augment(flip_horizontal=1.0).boxes([target, target], [0, 1], size)
    assert boxes.tolist() == [[5, 2, 9, 9], [0, 0, 10, 12]]
    assert labels.tolist() == [3, 4] and crowd.tolist() == [True, False] and len(other) == 3
    assert Augment(flip_vertical=1.0).boxes([target], [0], size)[0][0].tolist() == [[1, 3, 5, 10], [0, 0, 10, 12]]
    assert Augment().boxes([target], [0], size)[0][0].tolist() == target[0].tolist()
    assert Augment().boxes([(np.zeros((0, 4)), np.zeros(0))], [0], size)[0][0].shape == (0, 4)


def test_boxes_with_little_left_are_dropped():
    box = np.array([[0, 0, 10, 10]], np.float32)
    aug = Augment(shift=(0.0, 0.5), seed=2, fill_mode="constant")
    indices = np.arange(40)
    targets = [(box, np.array([0]))] * 40
    shifts = -aug.draw(indices, 0, 20, 20).matrices[:, 0, 2]
    visible = np.clip((10 + shifts) / 10, 0, 1)  # shifted to the left the box leaves the image
    assert ((visible > 0) & (visible < 0.3)).any() and (visible < 1).any()
    for least in (0.0, 0.3, 1.0):
        kept = [len(boxes) for boxes, _ in aug.boxes(targets, indices, (20, 20), least_visible=least)]
        assert kept == [int(share > 0 and share >= least - 1e-9) for share in visible]
    for (boxes, _), shift in zip(aug.boxes(targets, indices, (20, 20), least_visible=0.0), shifts, strict=True):
        if len(boxes):
            np.testing.assert_allclose(boxes[0], [max(shift, 0), 0, 10 + shift, 10], atol=1e-5)


def test_elastic_displacements():
    points = np.random.default_rng(0).uniform(-1, 1, (2, 2, 6, 6))
    field = bend(points, 50, 70)
    assert field.shape == (2, 2, 50, 70) and np.abs(field).max() < 1
    # Smooth, the same everywhere for points that are, and linear for points that are.
    assert np.abs(np.diff(field, n=2, axis=2)).max() < 0.02
    np.testing.assert_allclose(bend(np.full((1, 2, 6, 6), 0.3), 9, 7), 0.3, rtol=1e-6)
    ramp = np.broadcast_to(np.arange(6.0) - 1, (1, 2, 6, 6))
    expected = np.broadcast_to((np.arange(12) + 0.5) / 12 * 3, (1, 2, 8, 12))
    np.testing.assert_allclose(bend(ramp, 8, 12), expected, atol=1e-6)
    # Turned on, it leaves all else as it was, and depends on seed, epoch and index.
    aug = Augment(elastic=0.1, **MOVES)
    drawn, plain = (a.draw(np.arange(3), 1, 20, 20) for a in (aug, Augment(**MOVES)))
    assert np.array_equal(drawn.matrices, plain.matrices) and plain.offsets is None
    assert len({field.tobytes() for field in drawn.offsets}) == 3
    assert not np.array_equal(drawn.offsets, aug.draw(np.arange(3), 2, 20, 20).offsets)
    assert np.abs(drawn.offsets).max() < 2.0


def test_augment_takes_masks_and_boxes():
    x = np.random.default_rng(0).integers(0, 256, (5, 24, 30, 3), dtype=np.uint8)
    masks = regions(5)
    aug = Augment(seed=4, **MOVES)
    images, moved = augment(x, masks, copies=2, seed=4, **MOVES)
    assert moved.shape == (10, 24, 30)
    assert np.array_equal(moved[5:], aug.masks(masks, np.arange(5), 1))
    assert np.array_equal(images[5:], aug(x, np.arange(5), 1))
    targets = [(np.array([[3, 4, 20, 20]]), np.array([n])) for n in range(5)]
    _, boxes = augment(x, targets, copies=2, seed=4, **MOVES)
    expected = aug.for_boxes().boxes(targets, np.arange(5), (24, 30), 1)
    assert len(boxes) == 10
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(boxes[5:], expected, strict=True))
    _, listed = augment(x, [list(target) for target in targets], copies=2, seed=4, **MOVES)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(listed, boxes, strict=True))
    _, labels = augment(x, np.arange(5), copies=2, **MOVES)
    assert labels.tolist() == [*range(5)] * 2
    with pytest.raises(ValueError, match="as many targets as images, 5, got 4"):
        augment(x, targets[:4])


@pytest.mark.parametrize("weighted", [False, True])
def test_fit_moves_masks_with_the_pixels(weighted):
    """Where images show their own masks, no augmentation can part them."""
    masks = (regions(16, classes=2)).astype(np.uint8)
    x = masks[..., None].astype(np.float32)
    seen = []

    class Watched(Augment):
        def masks(self, masks, indices, epoch=0, fill=0):
            moved = super().masks(masks, indices, epoch, fill)
            seen.append((moved, self(x[indices], indices, epoch)))
            return moved

    model = st.Sequential([st.Input((24, 30, 1)), st.layers.Conv2D(2, 1)], seed=0)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(st.optimizers.Adam(0.1), loss, metrics=["accuracy"], weighted_metrics=["dice"])
    weights = np.ones(masks.shape, np.float32) if weighted else None
    aug = Watched(flip_horizontal=True, flip_vertical=True, crop=3)
    history = model.fit(x, masks, batch_size=8, epochs=12, augment=aug, sample_weight=weights, verbose=0).history
    assert history["loss"][-1] < 0.3
    # Metrics see the moved masks too.
    assert history["accuracy"][-1] == 1.0 and history["dice"][-1] == 1.0
    assert len(seen) == 12 * 2 * (2 if weighted else 1)
    if not weighted:
        assert all(np.array_equal(moved, images[..., 0]) for moved, images in seen)


def test_what_does_not_fit_is_named():
    aug = Augment()
    for call, error, message in [
        (
            lambda: aug.masks(np.zeros((2, 3)), [0, 1]),
            ValueError,
            r"expects masks \(N, H, W\) or .* got shape \(2, 3\)",
        ),
        (
            lambda: aug.masks(np.zeros((2, 3, 3)), [0]),
            ValueError,
            r"one index for each image, \(2,\), got shape \(1,\)",
        ),
        (lambda: aug.masks(np.zeros((1, 3, 3)), [0.5]), TypeError, "integer indices"),
        (lambda: aug.boxes([(np.zeros((1, 3)), [0])], [0], (4, 4)), ValueError, r"boxes \(M, 4\)"),
        (lambda: aug.boxes([], [], (4, 4), least_visible=2), ValueError, r"least_visible .* within 0 \.\. 1, got 2"),
        (lambda: Augment(elastic=0.1).boxes([], [], (4, 4)), ValueError, "boxes cannot follow an elastic deformation"),
        (lambda: Augment(elastic=-1), ValueError, "expects elastic"),
        (
            lambda: Augment(elastic_grid=0),
            ValueError,
            r"elastic_grid as a whole number of cells within 1 \.\. 1024, got 0",
        ),
    ]:
        with pytest.raises(error, match=message):
            call()


def disc_images(count=6, side=40):
    """Bright discs at the left border, one box around each."""
    rows, columns = np.mgrid[:side, :side]
    images = np.zeros((count, side, side, 1), np.uint8)
    images[:, (rows - 20) ** 2 + (columns - 5) ** 2 < 16] = 255
    return images, [(np.array([[1, 16, 10, 25]], np.float32), np.array([0]))] * count


OUTSIDE = {"rotation": 40.0, "shift": 0.5, "zoom": (0.4, 0.9), "crop": 20}


@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_no_object_without_a_box(name):
    """Mirrored borders showed up to four discs around one box."""
    images, targets = disc_images()
    changed, moved = augment(images, targets, copies=3, seed=1, **{name: OUTSIDE[name]})
    explicit = Augment(seed=1, fill_mode="constant", **{name: OUTSIDE[name]})
    assert np.array_equal(changed[:6], explicit(images, np.arange(6)))
    for image, (boxes, _) in zip(changed, moved, strict=True):
        left = image[..., 0].astype(float)
        for x1, y1, x2, y2 in boxes:
            left[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = 0
        # A disc of which less than 0.3 is left has no box; a whole one has 49 pixels.
        assert (left > 128).sum() < 20


@pytest.mark.parametrize("mode", ["reflect", "wrap", "auto"])
@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_boxes_refuse_copies_of_objects(name, mode):
    images, targets = disc_images()
    aug = Augment(fill_mode=mode, **{name: OUTSIDE[name]})
    with pytest.raises(ValueError, match="copies of objects at the borders") as refused:
        aug.boxes(targets, np.arange(6), (40, 40))
    if mode == "auto":
        assert "for_boxes" in str(refused.value)
        assert aug.for_boxes().fill_mode == "constant" and aug.fill_mode == "auto"
        assert len(aug.for_boxes().boxes(targets, np.arange(6), (40, 40))) == 6
    else:
        with pytest.raises(ValueError, match="copies of objects"):
            aug.for_boxes()
        with pytest.raises(ValueError, match="copies of objects"):
            augment(images, targets, fill_mode=mode, **{name: OUTSIDE[name]})
    # What moves no pixels in is exact with any fill.
    assert Augment(fill_mode=mode, flip_horizontal=True, zoom=(1.0, 2.0)).boxes(targets, np.arange(6), (40, 40))
    assert Augment(fill_mode="nearest", **OUTSIDE).boxes(targets, np.arange(6), (40, 40))


def test_a_derived_class_keeps_its_own_when_it_fills_for_boxes():
    class Counting(Augment):
        def __call__(self, images, indices, epoch=0):
            self.__dict__["calls"] = self.__dict__.get("calls", 0) + 1
            return super().__call__(images, indices, epoch)

    aug = Counting(shift=0.5)
    filled = aug.for_boxes()
    assert type(filled) is Counting and filled.fill_mode == "constant"
    filled(disc_images()[0], np.arange(6))
    assert filled.calls == 1 and not hasattr(aug, "calls")


@pytest.mark.parametrize("derived", [False, True])
def test_fit_with_boxes_fills_borders(derived):
    """A step on images with boxes does not see mirrored objects, whether the core or Python feeds it."""
    images, targets = disc_images(8)
    kind = type("Derived", (Augment,), {}) if derived else Augment

    def weights(mode):
        model = st.models.detector((32, 32, 1), 1, seed=0, rescale=1 / 255)
        model.compile(optimizer=st.optimizers.SGD(0.01), loss=st.losses.DetectionLoss())
        change = kind(shift=0.5, seed=3, fill_mode=mode)
        model.fit(
            images[:, 4:36, :32],
            [(b - [0, 4, 0, 4], c) for b, c in targets],
            epochs=1,
            batch_size=4,
            verbose=0,
            shuffle=False,
            augment=change,
        )
        return model.get_weights()

    assert all(np.array_equal(a, b) for a, b in zip(weights("auto"), weights("constant"), strict=True))
    with pytest.raises(ValueError, match="copies of objects"):
        weights("reflect")
