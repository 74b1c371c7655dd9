"""The bundled data set: small real handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.splitting import split

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def load_digits(test_fraction: float = 0.2, seed: int = 0) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Load 1,797 real handwritten digits that come with the package.

    Each image counts the inked pixels of a 32x32 scan in blocks of 4x4, so a pixel is 0 .. 16 in the source. Here it
    is stretched to 0 .. 255: `(255 * v + 8) // 16`.

    The split is shuffled and stratified by digit. It does not keep the 13 writers apart, so test accuracy is for new
    digits by known hands.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998, https://doi.org/10.24432/C50P49, CC BY 4.0; see DIGITS-ATTRIBUTION.md beside this file.

    Args:
        test_fraction: share of the test part, between 0 and 1.
        seed: seed of the split.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 (N, 8, 8, 1), labels int64 (N,). By default N is 1,437
        and 360.

    Raises:
        ValueError: test_fraction is out of range.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    stretched = ((images.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)
    return split(stretched[..., np.newaxis], labels.astype(np.int64), test_fraction, seed)
