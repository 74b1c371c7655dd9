"""Compiles the plugin's kernels with nvcc, without a GPU, and looks at the compiler's report.

    python tools/gpu_compile.py                                   # for sm_75, sm_80, sm_90 and PTX of the newest
    python tools/gpu_compile.py --architectures 90 --table

Warnings are errors. A kernel that spills registers must be in the table of cpp/cuda/README.md, with no more bytes than
there. `--table` prints registers, shared memory and the share of a multiprocessor's threads that they allow (on sm_90,
with blocks of 256 threads).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "cpp" / "cuda"
FLAGS = ["-std=c++17", "-O3", "-Werror=all-warnings", "-Xcompiler=-Wall,-Wextra,-fPIC", "-Xptxas=-v"]
INCLUDES = [f"-I{folder}" for folder in (FOLDER, ROOT / "cpp" / "src", ROOT / "cpp" / "include")]
DEFINES = ['-DSTRIATE_VERSION="0"', '-DSTRIATE_CUDA_TOOLCHAIN="13.0"']
THREADS, REGISTERS, SHARED, BLOCK = 2048, 65536, 228 << 10, 256  # of a multiprocessor, and of our blocks
_KERNEL = re.compile(
    r"Compiling entry function '(?P<name>\S+)' for '(?P<chip>\S+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?:[^\n]*?, (?P<shared>\d+) bytes smem)?",
    re.DOTALL,
)


class Kernel(NamedTuple):
    file: str
    name: str
    chip: str
    spilled: int
    registers: int
    shared: int

    def occupancy(self) -> float:
        """The share of a multiprocessor's threads that its blocks can have."""
        registers = -(-self.registers // 8) * 8 * BLOCK
        blocks = min(REGISTERS // registers, SHARED // (self.shared + 1024), THREADS // BLOCK)
        return blocks * BLOCK / THREADS


def compile_one(source: Path, architectures: list[str], folder: Path) -> list[Kernel]:
    """Compile a file for each architecture; the last one gets PTX too."""
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    codes.append(f"-gencode=arch=compute_{architectures[-1]},code=compute_{architectures[-1]}")
    command = ["nvcc", *FLAGS, *codes, *INCLUDES, *DEFINES, "-c", str(source), "-o", str(folder / f"{source.stem}.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{source.name}:\n{done.stdout}{done.stderr}")
    kernels = []
    for match in _KERNEL.finditer(done.stdout + done.stderr):
        spilled = int(match["stores"]) + int(match["loads"])
        name = subprocess.run(["c++filt", "-p", match["name"]], capture_output=True, text=True).stdout.strip()
        name = (
            name.replace("striate::cuda::", "").replace("striate::kernels::", "").replace("(anonymous namespace)::", "")
        )
        kernels.append(
            Kernel(source.name, name, match["chip"], spilled, int(match["registers"]), int(match["shared"] or 0))
        )
    return kernels


def listed() -> dict[str, int]:
    """Kernel -> bytes that it may spill, from the README's table."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return {name: int(bytes_) for name, bytes_ in re.findall(r"^\| `([^`]+)` \| (\d+) \|", text, re.MULTILINE)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", default=["75", "80", "90", "120"])
    parser.add_argument("--files", nargs="+", help="names without .cu; all by default")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--table", action="store_true", help="print a line for each kernel")
    args = parser.parse_args()
    if shutil.which("nvcc") is None:
        sys.exit("nvcc is not on PATH; CUDA 13 has it, or `pip install nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-crt`")
    sources = sorted(p for p in FOLDER.glob("*.cu") if not args.files or p.stem in args.files)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.jobs) as pool:
        found = pool.map(lambda source: compile_one(source, args.architectures, Path(folder)), sources)
        kernels = [kernel for several in found for kernel in several]
    if args.table:
        for k in kernels:
            print(f"{k.file:16s} {k.chip:6s} {k.registers:4d} registers {k.shared:6d} B shared"
                  f" {100 * k.occupancy():4.0f} % {k.spilled:4d} B spilled  {k.name}")  # fmt: skip
    allowed = listed()
    refused = [k for k in kernels if k.spilled > allowed.get(k.name, 0)]
    for k in refused:
        print(f"{k.name} spills {k.spilled} bytes on {k.chip}; cpp/cuda/README.md allows {allowed.get(k.name, 0)}")
    print(f"{len(kernels)} kernels in {len(sources)} files, for {', '.join(args.architectures)}: no warning")
    sys.exit(bool(refused))


if __name__ == "__main__":
    main()
