"""Where models compute: the names of devices, and the plugin for GPUs."""

from __future__ import annotations

from importlib.util import find_spec

from striate import _core

# The core opens the library when a model is first moved to a GPU.
_found = find_spec("striate_cuda")
for _folder in (_found and _found.submodule_search_locations) or ():
    _core.set_cuda_plugin(f"{_folder}/libstriate_cuda.so")


def device_of(name: str) -> str:
    """The full name of a device, such as "cuda:0" for "cuda"; of "", that of the device of new models.

    Raises:
        RuntimeError: it cannot be used; the message says why.
        ValueError: no device has this name.
    """
    return _core.checked_device(name)


def cuda_description() -> str:
    """The CUDA plugin and the first GPU, or why there is none of them; "none" without the plugin."""
    return _core.cuda_description()


def cuda_kernels() -> dict[str, bool]:
    """The names of the core's kernels, and whether the CUDA plugin has each.

    Raises:
        RuntimeError: there is no plugin.
    """
    return dict(_core.cuda_kernels())
