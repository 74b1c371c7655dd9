"""Which kernels run on a GPU."""

from __future__ import annotations

import re

from striate._devices import cuda_kernels

# Kernels that networks on a GPU never call: convolutions are computed directly, data are augmented and gathered before
# they are copied there, and fma_peak measures the CPU.
_UNUSED = re.compile(
    "winograd.*|pooled_conv|maxima_weights|warp|warp_backward|nearest_pixels|shade|gather|gather_bytes|fma_peak"
)


def kernel_places() -> dict[str, str]:
    """Where each kernel of the core runs for a model on a GPU.

    Returns:
        Name -> "GPU"; "CPU" for a kernel that the plugin lacks, whose inputs and outputs are copied; or "not used".

    Raises:
        RuntimeError: there is no plugin; the message says how to get it.
    """
    return {
        name: "not used" if _UNUSED.fullmatch(name) else "GPU" if on_gpu else "CPU"
        for name, on_gpu in cuda_kernels().items()
    }
