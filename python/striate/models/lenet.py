"""LeNet-5."""

from __future__ import annotations

from collections.abc import Sequence

from striate.model import Model
from striate.models._building import build


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
        activation: activation of all layers but the last.
        pooling: "max" or "average".
        dropout: share of the units of the two fully connected layers dropped in training.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: seed of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    return build(locals(), "lenet")
