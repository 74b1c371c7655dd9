"""GPUs: what the plugin for CUDA does there. `python -m striate.cuda.report` prints a table of it."""

from striate.cuda._kernels import kernel_places

__all__ = ["kernel_places"]
