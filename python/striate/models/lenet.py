"""LeNet-5."""

from __future__ import annotations

from collections.abc import Sequence

from striate import layers
from striate.model import Model
from striate.models._blocks import begin, check_arguments, drop, finish


def lenet(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    activation: str = "relu",
    pooling: str = "max",
    dropout: float = 0.0,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """LeNet-5: two 5×5 convolutions with pooling, then 120 and 84 units. About 60,000 parameters on 28×28 grey
    pictures.

    As in Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86(11), 1998, with the changes in use today: every second-layer filter sees every map of the
    first, pooling has no weights, and the end is linear. `activation="tanh", pooling="average"` comes closest to the
    original. The first convolution keeps the picture's size (the original padded 28 to 32 pixels); the second does not,
    except on pictures below 12 pixels, which would be left with nothing.

    Args:
        input_shape: (height, width, channels), height and width at least 4.
        classes: number of outputs.
        activation: of all layers but the last.
        pooling: "max" or "average".
        dropout: share of the units of the two fully connected layers dropped in training.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    shape = check_arguments("lenet", input_shape, classes, dropout)
    side = min(shape[:2])
    if side < 4:
        raise ValueError(
            f"models.lenet halves the picture twice: it needs at least 4 x 4 pixels, got {shape[0]} x {shape[1]}"
        )
    if pooling not in ("max", "average"):
        raise ValueError(f'models.lenet expects pooling "max" or "average", got {pooling!r}')
    pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
    initial = "he_normal" if activation == "relu" else "glorot_uniform"

    start, x = begin(shape, rescale)
    x = layers.Conv2D(6, 5, padding="same", activation=activation, kernel_initializer=initial, name="conv1")(x)
    x = pool(2, name="pool1")(x)
    padding = "valid" if side >= 12 else "same"
    x = layers.Conv2D(16, 5, padding=padding, activation=activation, kernel_initializer=initial, name="conv2")(x)
    x = pool(2, name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    for index, units in enumerate((120, 84), start=1):
        x = layers.Dense(units, activation=activation, kernel_initializer=initial, name=f"dense{index}")(x)
        x = drop(x, dropout, f"dropout{index}")
    return finish(start, x, classes, seed, "lenet")
