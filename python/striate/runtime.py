"""The process: version, instruction set, threads, seed."""

from __future__ import annotations

from striate import _core
from striate._checks import checked_seed, positive
from striate._devices import cuda_description

__all__ = ["available_isas", "get_num_threads", "isa", "set_num_threads", "set_seed", "show_config"]


def show_config() -> None:
    """Print version, instruction set, threads, compiler, OpenMP and CUDA."""
    info = _core.runtime_info()
    isas = ", ".join(info["available_isas"])
    rows = {
        "version": info["version"],
        "instruction set": f"{info['isa']} (available: {isas})",
        "threads": info["threads"],
        "compiler": info["compiler"],
        "OpenMP": info["openmp"],
        "CUDA": cuda_description(),
    }
    print("striate")
    for name, value in rows.items():
        print(f"  {name:16s} {value}")


def isa() -> str:
    """The instruction set in use: "avx512", "avx2", "neon" or "scalar". STRIATE_ISA sets it."""
    return str(_core.runtime_info()["isa"])


def available_isas() -> list[str]:
    """The instruction sets of this processor that have kernels, fastest first."""
    return list(_core.runtime_info()["available_isas"])


def set_num_threads(count: int) -> None:
    """Set the threads that each pass may use. Results do not depend on it.

    While other processes hold the cores, or a network is too small to gain, passes keep to one thread and look now and
    then whether more have become faster.

    By default STRIATE_NUM_THREADS, or else what OMP_NUM_THREADS, the affinity mask and the container's quota allow.

    Where a limit of threads (of the container or the user) leaves fewer, passes use fewer, and the first warns.

    Raises:
        ValueError: not within 1 … 1024.
    """
    _core.set_num_threads(positive(count, "set_num_threads: count"))


def get_num_threads() -> int:
    """The threads that each pass may use."""
    return _core.get_num_threads()


def set_seed(seed: int) -> None:
    """Set the seed of the sequence from which models and trainers without a seed take theirs.

    A script that begins with it gives the same bits at every run, at any number of threads.

    Args:
        seed: 0 … 2**64 - 1.
    """
    _core.set_seed(checked_seed(seed, "set_seed"))
