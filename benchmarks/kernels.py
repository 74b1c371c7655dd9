"""Every kernel by itself: its GFLOP/s or GB/s beside what the machine can do, measured in the same run.

    python benchmarks/kernels.py
    python benchmarks/kernels.py --filter '^conv forward 3x3' --isa avx2

Builds `striate_bench` from benchmarks/cpp (this needs cmake and a C++20 compiler, and no Python package) and prints a
Markdown table: the best time of a call on one thread and on all of them. Kernels that multiply and add are given as
GFLOP/s and percent of the FMA peak, a loop of multiply-adds in registers; all others as GB/s and percent of the
bandwidth of a copy of about the same size. Operations are counted as the definition has them, multiplications with the
zeros of padding among them, and bytes as if each array were read or written once; so more than 100 % is possible where
work is saved or arrays stay in a nearer cache.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = ("c++", "g++", "clang++")

Record = dict[str, Any]  # a line of striate_bench


def build(folder: Path, jobs: int) -> Path:
    """Configure and build the executable, quietly unless that fails."""
    cmake = shutil.which("cmake")
    if cmake is None:
        raise SystemExit("benchmarks/kernels.py needs CMake 3.20 or later: apt install cmake, or pip install cmake")
    if "CXX" not in os.environ and not any(map(shutil.which, COMPILERS)):
        raise SystemExit("benchmarks/kernels.py needs a C++20 compiler: apt install g++, or set CXX to one")
    configure = [cmake, "-S", str(ROOT), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release", "-DSTRIATE_BENCHMARKS=ON",
                 "-DSTRIATE_TESTS=OFF", "-DSTRIATE_PYTHON=OFF"]  # fmt: skip
    if shutil.which("ninja") and not (folder / "CMakeCache.txt").exists():
        configure += ["-G", "Ninja"]
    compile_ = [
        cmake,
        "--build",
        str(folder),
        "--config",
        "Release",
        "--target",
        "striate_bench",
        "--parallel",
        str(jobs),
    ]
    print(f"building striate_bench in {folder} ...", file=sys.stderr, flush=True)
    for command in (configure, compile_):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{done.stdout[-6000:]}\nfailed: {' '.join(command)}")
    return executable(folder)


def executable(folder: Path) -> Path:
    for name in ("striate_bench", "striate_bench.exe", "Release/striate_bench.exe"):
        if (folder / "benchmarks" / "cpp" / name).is_file():
            return folder / "benchmarks" / "cpp" / name
    raise SystemExit(f"no striate_bench in {folder}: run without --no-build first")


def records(command: Sequence[str], env: dict[str, str]) -> Iterator[Record]:
    """The lines of striate_bench as they come."""
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield dict(json.loads(line))
    if process.returncode:
        raise SystemExit(process.returncode)


def limit(machine: Record, case: Record, index: int) -> float:
    """What the machine does at best: flops a second, or bytes a second of the copy whose size is nearest."""
    if case["flops"]:
        return float(machine["flops_per_second"][index])
    nearest = min(machine["copy"], key=lambda copy: abs(math.log(copy["bytes"] / case["bytes"])))
    return float(nearest["bytes_per_second"][index])


def cells(machine: Record, case: Record) -> Iterator[str]:
    amount, unit = (case["flops"], "GFLOP/s") if case["flops"] else (case["bytes"], "GB/s")
    for index, seconds in enumerate(case["seconds"]):
        rate = amount / seconds
        yield f"{1e3 * seconds:.4g}"
        yield f"{rate / 1e9:.{0 if rate >= 1e11 else 1}f} {unit}"
        yield f"{100 * rate / limit(machine, case, index):.0f} %"


def row(texts: Sequence[str], widths: Sequence[int]) -> str:
    padded = [f"{text:<{width}}" if i < 2 else f"{text:>{width}}"
              for i, (text, width) in enumerate(zip(texts, widths, strict=True))]  # fmt: skip
    return "| " + " | ".join(padded) + " |"


def heading(machine: Record) -> str:
    def pair(values: list[float]) -> str:
        return " / ".join(f"{value / 1e9:.0f}" for value in values)

    counts = " and ".join(f"{n} thread{'s' * (n > 1)}" for n in thread_counts(machine))
    copies = ", ".join(f"{pair(c['bytes_per_second'])} GB/s at {c['bytes'] >> 20} MB" for c in machine["copy"])
    return (f"striate's kernels: {machine['isa']}, {machine['compiler']}, {counts}. "
            f"FMA peak {pair(machine['flops_per_second'])} GFLOP/s; copy {copies}.\n")  # fmt: skip


def thread_counts(machine: Record) -> list[int]:
    return [1, machine["threads"]] if machine["threads"] > 1 else [1]


def print_table(lines: Iterator[Record], names: Sequence[Record]) -> list[Record]:
    """Prints each case as it is measured; `names` are all of them, for the widths."""
    machine = next(lines)
    print(heading(machine))
    titles = ["kernel", "shape"]
    for count in thread_counts(machine):
        titles += [f"ms, {count} thread{'s' * (count > 1)}", "rate", "of limit"]
    widths = [max(len(titles[i]), *(len(name[key]) for name in names)) for i, key in enumerate(("kernel", "shape"))]
    widths += [max(len(title), {"rate": 12, "of limit": 6}.get(title, 8)) for title in titles[2:]]
    print(row(titles, widths))
    print(
        "|" + "|".join("-" * (w + 2) if i < 2 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|", flush=True
    )
    seen = [machine]
    for case in lines:
        print(row([case["kernel"], case["shape"], *cells(machine, case)], widths), flush=True)
        seen.append(case)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default="", metavar="REGEX", help='cases whose "KERNEL SHAPE" it is found in')
    parser.add_argument("--isa", help="instruction set, such as avx2 or scalar; default: STRIATE_ISA or the best here")
    parser.add_argument("--threads", type=int, help="beside one thread; default: as many as striate would use")
    parser.add_argument("--seconds", type=float, default=0.08, help="of each measurement (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a glance: 0.01 seconds of each")
    parser.add_argument("--list", action="store_true", help="the cases' names alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements there as well")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build" / "bench", help="default: build/bench")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="compilers at a time (default %(default)s)"
    )
    parser.add_argument("--no-build", action="store_true", help="take the executable as it is")
    args = parser.parse_args()

    program = executable(args.build_dir) if args.no_build else build(args.build_dir, args.jobs)
    env = dict(os.environ, **({"STRIATE_ISA": args.isa} if args.isa else {}))
    command = [str(program), "--filter", args.filter]
    names = list(records([*command, "--list"], env))
    if not names:
        raise SystemExit(f"no case matches --filter {args.filter!r}; --list shows them all")
    if args.list:
        for name in names:
            print(name["kernel"], name["shape"])
        return
    command += ["--seconds", str(0.01 if args.quick else args.seconds)]
    if args.threads:
        command += ["--threads", str(args.threads)]
    seen = print_table(records(command, env), names)
    if args.json:
        args.json.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
