"""Batches that the core's thread makes while the step before runs, and those of a function of Python's."""

import gc
import multiprocessing
import os
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from digit_training import digits, same_weights, sparse
from digit_training import network as digit_network
from striate import _core
from striate.data import Augment

CHANGES: dict[str, Any] = {
    "flip_horizontal": True,
    "rotation": 20.0,
    "shift": 0.1,
    "zoom": 0.2,
    "crop": 1,
    "brightness": 0.1,
    "contrast": 0.2,
    "noise": 0.05,
}
SIZE = (12, 14)
IMAGES = np.random.default_rng(0).integers(0, 256, (23, *SIZE, 3), dtype=np.uint8)
MASKS = np.random.default_rng(1).integers(0, 4, (23, *SIZE)).astype(np.int32)
LABELS = np.arange(23) % 4


def feed_of(augment: Augment, batch: int, images: Any = IMAGES, targets: Any = (LABELS,), follows: Any = ("nothing",),
            weights: Any = None, weights_follow: str = "nothing") -> _core.Feed:  # fmt: skip
    given = [] if weights is None else [weights]
    follow = [weights_follow] * len(given)
    return _core.Feed([images], list(targets), given, batch, augment._change(), list(follows), follow)


def epoch_of(feed: _core.Feed, order: np.ndarray, epoch: int, batch: int) -> list[np.ndarray]:
    """All arrays of an epoch, put together again."""
    feed.begin(order, epoch)
    inputs, targets, weights = feed.buffers
    arrays = [*inputs, *targets, *weights]
    batches = []
    for start in range(0, len(order), batch):
        first, count = feed.next(), min(batch, len(order) - start)
        batches.append([array[first : first + count].copy() for array in arrays])
    return [np.concatenate(column) for column in zip(*batches, strict=True)]


def threads() -> int:
    """Of this process, as the operating system counts them."""
    return len(os.listdir("/proc/self/task"))


linux = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads by /proc")


@given(hs.integers(1, 30), hs.integers(0, 2**64 - 1), hs.integers(0, 99), hs.booleans(), hs.randoms())
def test_a_feed_gives_what_a_call_gives(batch, seed, epoch, floats, random):
    augment = Augment(**CHANGES, seed=seed)
    images = IMAGES.astype(np.float32) / 255 if floats else IMAGES
    order = list(range(23)) * 2
    random.shuffle(order)
    rows = np.array(order[: random.randint(1, 46)])
    feed = feed_of(augment, batch, images, (LABELS, MASKS), ("nothing", "pixels"))
    for number in (epoch, epoch + 1):
        changed, labels, masks = epoch_of(feed, rows, number, batch)
        assert changed.tobytes() == augment(images[rows], rows, number).tobytes()
        assert np.array_equal(labels, LABELS[rows])
        assert masks.tobytes() == augment.masks(MASKS[rows], rows, number).tobytes()


def test_nothing_asked_nothing_changed():
    rows = np.random.default_rng(3).permutation(23)
    weights = np.random.default_rng(4).random((23, *SIZE), dtype=np.float32)
    feed = feed_of(Augment(), 5, targets=(MASKS,), follows=("pixels",), weights=weights, weights_follow="pixels")
    images, masks, moved = epoch_of(feed, rows, 0, 5)
    assert np.array_equal(images, IMAGES[rows])
    assert np.array_equal(masks, MASKS[rows]) and np.array_equal(moved, weights[rows])


def test_two_flips_are_none():
    flips = Augment(flip_horizontal=1.0, flip_vertical=1.0)
    rows = np.arange(23)
    boxes = np.array([[[1, 2, 6, 9, 3], [0, 0, 14, 12, 0]]] * 23, np.float32)
    once = epoch_of(feed_of(flips, 4, IMAGES, (MASKS, boxes), ("pixels", "boxes")), rows, 0, 4)
    assert np.array_equal(once[0], IMAGES[:, ::-1, ::-1]) and np.array_equal(once[1], MASKS[:, ::-1, ::-1])
    twice = epoch_of(feed_of(flips, 4, once[0], once[1:], ("pixels", "boxes")), rows, 0, 4)
    assert all(np.array_equal(a, b) for a, b in zip(twice, (IMAGES, MASKS, boxes), strict=True))


@given(hs.integers(0, 2**64 - 1), hs.integers(0, 99))
def test_boxes_and_masks_hold_the_same_pixels(seed, epoch):
    """Boxes around rectangles of a mask, moved, are around the moved rectangles."""
    moves = {name: CHANGES[name] for name in ("flip_horizontal", "rotation", "shift", "zoom", "crop")}
    augment = Augment(**moves, fill_mode="constant", seed=seed)
    rng = np.random.default_rng(seed % 1000)
    corners = rng.integers(2, 30, (8, 2, 2))
    boxes = np.full((8, 3, 6), -1, np.float32)
    boxes[:, :2] = [[(x, y, x + 9, y + 7, 1, 5) for x, y in image] for image in corners]
    images = np.zeros((8, 40, 40, 1), np.float32)
    for image, box in zip(images, boxes[:, 0].astype(int), strict=True):
        image[box[1] : box[3], box[0] : box[2]] = 1
    feed = feed_of(augment, 3, images, (boxes,), ("boxes",))
    changed, moved = epoch_of(feed, np.arange(8), epoch, 3)
    targets = [(box[:2, :4], box[:2, 4:]) for box in boxes]
    expected = augment.boxes(targets, np.arange(8), (40, 40), epoch)
    for image, got, (want, others) in zip(changed, moved, expected, strict=True):
        assert np.array_equal(got[: len(want), :4], want) and np.array_equal(got[: len(want), 4:], others)
        assert (got[len(want) :, 4] == -1).all()
        if len(want) == 2:
            rows, columns = np.nonzero(image[..., 0] > 0.5)
            seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (got[0, :2] <= seen[:2] + 1).all() and (got[0, 2:4] >= seen[2:] - 1).all()


def test_an_epoch_left_in_the_middle():
    augment = Augment(**CHANGES)
    feed = feed_of(augment, 4)
    rows = np.arange(23)
    for taken in range(7):
        feed.begin(rows[::-1].copy(), 5)
        for _ in range(min(taken, 6)):
            feed.next()
        images, _ = epoch_of(feed, rows, taken, 4)
        assert images.tobytes() == augment(IMAGES, rows, taken).tobytes()


def test_what_does_not_fit():
    feed = feed_of(Augment(), 4)
    feed.begin(np.arange(3), 0)
    feed.next()
    with pytest.raises(ValueError, match="epoch of 1 batches is over"):
        feed.next()
    with pytest.raises(ValueError, match="row 23 is not within the 23 rows"):
        feed.begin(np.array([0, 23]), 0)
    feed.close()
    feed.close()
    for call in (feed.next, lambda: feed.begin(np.arange(3), 0)):
        with pytest.raises(ValueError, match="the feed is closed"):
            call()
    assert np.array_equal(feed.buffers[0][0][:3], IMAGES[:3])  # the memory stays
    wrong: list[tuple[Any, type[Exception], str]] = [
        (lambda: feed_of(Augment(), 4, IMAGES[..., 0].copy()), ValueError, r"images \(N, H, W, C\), got shape"),
        (lambda: feed_of(Augment(), 4, MASKS[..., None]), TypeError, "uint8 or float32 images, got int32"),
        (lambda: feed_of(Augment(), 4, targets=(LABELS[:9],)), ValueError, r"targets have shape \(9,\) for 23"),
        (lambda: feed_of(Augment(), 4, follows=("pixels",)), ValueError, r"\(N, 12, 14\) or \(N, 12, 14, C\), got"),
        (
            lambda: feed_of(Augment(elastic=0.1), 4, targets=(np.zeros((23, 1, 5), np.float32),), follows=("boxes",)),
            ValueError,
            "boxes cannot follow an elastic deformation",
        ),
        (lambda: feed_of(Augment(), 4, targets=(MASKS,), follows=("boxes",)), TypeError, "boxes must be float32"),
        (lambda: feed_of(Augment(), 0), ValueError, "batch must be positive, got 0"),
    ]
    for call, error, message in wrong:
        with pytest.raises(error, match=message):
            call()


def network(seed: int = 0) -> st.Model:
    layers = [st.Input((*SIZE, 3)), st.layers.Conv2D(4, 3), st.layers.ReLU(), st.layers.Flatten(), st.layers.Dense(4)]
    model = st.Sequential(layers, seed=seed)
    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def fitted(**options: Any) -> tuple[dict[str, list[float]], list[np.ndarray]]:
    model = network()
    history = model.fit(IMAGES / np.float32(255), LABELS, batch_size=5, epochs=3, verbose=0, **options).history
    return history, model.get_weights()


def test_the_same_bits_on_any_number_of_threads():
    """And by way of a function of Python's."""
    augment = Augment(**CHANGES, seed=3)
    before = st.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            st.set_num_threads(count)
            results.append(fitted(augment=augment))
        results.append(fitted(augment=lambda images, indices, epoch: augment(images, indices, epoch)))
    finally:
        st.set_num_threads(before)
    for history, weights in results[1:]:
        assert history == results[0][0]
        assert all(np.array_equal(a, b) for a, b in zip(weights, results[0][1], strict=True))
    assert fitted(augment=Augment(**CHANGES, seed=4))[0] != results[0][0]


@linux
def test_no_thread_is_left():
    class Stop(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = True

    class Fail(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise ZeroDivisionError

    class Interrupt(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    augment = Augment(**CHANGES)
    fitted(augment=augment)  # the core's threads have started
    before = threads()
    for callback, error in (
        (None, None),
        (Stop(), None),
        (Fail(), ZeroDivisionError),
        (Interrupt(), KeyboardInterrupt),
    ):
        if error is None:
            fitted(augment=augment, callbacks=callback)
        else:
            with pytest.raises(error):
                fitted(augment=augment, callbacks=callback)
        assert threads() == before
    with pytest.raises(ValueError, match="images"):
        feed_of(augment, 4, IMAGES[..., 0].copy())
    assert threads() == before
    feed = feed_of(augment, 4)
    feed.begin(np.arange(23), 0)
    assert threads() == before + 1
    del feed
    gc.collect()
    assert threads() == before


def test_feeds_side_by_side():
    """In threads of their own, each gives what it gives alone."""
    augments = [Augment(**CHANGES, seed=seed) for seed in range(4)]
    got: list[Any] = [None] * 4

    def work(number: int) -> None:
        got[number] = epoch_of(feed_of(augments[number], 3), np.arange(23), 1, 3)[0]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for augment, images in zip(augments, got, strict=True):
        assert images.tobytes() == augment(IMAGES, np.arange(23), 1).tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_goes_on_alone():
    """It has no thread, and takes up the epoch where it is."""
    augment = Augment(**CHANGES)
    feed = feed_of(augment, 4)
    expected = augment(IMAGES, np.arange(23), 2)
    feed.begin(np.arange(23), 2)
    feed.next()
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(False)

    def child() -> None:
        first = feed.next()
        rest = [feed.buffers[0][0][first : first + 4].copy()]
        rest.append(epoch_of(feed, np.arange(23), 2, 4)[0])
        feed.close()
        send.send_bytes(b"".join(images.tobytes() for images in rest))

    process = context.Process(target=child)
    process.start()
    assert receive.poll(30)
    assert receive.recv_bytes() == expected[4:8].tobytes() + expected.tobytes()
    process.join(30)
    assert process.exitcode == 0
    first = feed.next()  # and so does the parent
    assert np.array_equal(feed.buffers[0][0][first : first + 4], expected[4:8])


def test_augment_that_changes_nothing_changes_nothing() -> None:
    x, y = digits(70)
    weights = np.random.default_rng(11).uniform(0.5, 2, 70)
    plain, same = digit_network(), digit_network()
    for model, augment in ((plain, None), (same, lambda images, indices, epoch: images.copy())):
        model.compile("adam", sparse(), metrics=["accuracy"])
        model.fit(x, y, epochs=2, verbose=0, augment=augment, sample_weight=weights, validation_split=0.2)
    assert same_weights(plain, same)


def test_augment_is_trained_on() -> None:
    x, y = digits(64)
    blank, zero = digit_network(), digit_network()
    for model in (blank, zero):
        model.compile("sgd", sparse(), metrics=["accuracy"])
    one = blank.fit(x, y, verbose=0, augment=lambda images, indices, epoch: np.zeros_like(images)).history
    two = zero.fit(np.zeros_like(x), y, verbose=0).history
    assert one == two
    assert same_weights(blank, zero)
    model = digit_network()
    model.compile("sgd", sparse())
    model.fit(x, y, epochs=2, verbose=0, augment=Augment(rotation=10, shift=0.1))


def test_augment_that_fails_stops_the_training() -> None:
    x, y = digits(64)
    model = digit_network()
    model.compile("sgd", sparse())
    with pytest.raises(ValueError, match=r"same shape and type, uint8 \(32, 8, 8, 1\), got float64"):
        model.fit(x, y, verbose=0, augment=lambda images, indices, epoch: images * 0.5)

    def fail(images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        raise ZeroDivisionError("not today")

    with pytest.raises(ZeroDivisionError, match="not today"):
        model.fit(x, y, verbose=0, augment=fail)
    model.fit(x, y, verbose=0)
