"""What an installation weighs: the wheel, packed and unpacked, what it brings along, and how long the import takes.

    python benchmarks/footprint.py                    # of the striate that is installed
    python benchmarks/footprint.py a.whl              # of a wheel
    python benchmarks/footprint.py a.whl --peers torch==2.13.0 tensorflow-cpu onnxruntime

With `--peers` the wheel and each of the named distributions is installed, with all that it needs, into a folder of its
own by pip, and a table is printed. Unpacked counts the distribution's own files, dependencies all others and theirs.
The time of an import is the median of several fresh processes; without `--peers` it is over that of `import numpy`.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import statistics
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

CODE = "import numpy, time; start = time.perf_counter(); import striate; print(time.perf_counter() - start)"
MODULES = {"tensorflow-cpu": "tensorflow", "tensorflow_cpu": "tensorflow"}


@dataclass
class Footprint:
    """One row of the table; sizes in bytes."""

    name: str
    wheel: int
    unpacked: int
    dependencies: int
    brought: int
    seconds: float


def of_wheel(path: Path) -> tuple[int, int]:
    """Bytes packed and unpacked."""
    with zipfile.ZipFile(path) as wheel:
        return path.stat().st_size, sum(entry.file_size for entry in wheel.infolist())


def of_package() -> tuple[int, int]:
    """The same of what is installed, packed as a wheel would be."""
    spec = importlib.util.find_spec("striate")
    if spec is None or spec.origin is None:
        raise SystemExit("striate is not installed: pip install .")
    files = [p for p in Path(spec.origin).parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file)
    return packed.tell(), sum(file.stat().st_size for file in files)


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments, "-q", "--disable-pip-version-check"], check=True)


def size_of(distribution: Distribution) -> int:
    files = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())


def import_seconds(module: str, folder: Path, rounds: int) -> float:
    code = (
        f"import sys, time; sys.path.insert(0, {str(folder)!r}); start = time.perf_counter(); import {module}; "
        "print(time.perf_counter() - start)"
    )
    times = []
    for round_ in range(rounds + 1):  # the first one compiles and warms the disk's cache
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        if round_:
            times.append(float(done.stdout.split()[-1]))
    return statistics.median(times)


def of_installation(what: str, rounds: int) -> Footprint:
    """Installs a wheel or a named distribution beside nothing else."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if what.endswith(".whl"):
            wheel, title = Path(what), Path(what).name.split("-")[0]
        else:
            pip("download", "--no-deps", "-d", str(work / "wheel"), what)
            [wheel] = (work / "wheel").iterdir()
            title = what.split("=")[0]
        packed = wheel.stat().st_size
        pip("install", "--target", str(work / "all"), str(wheel))
        installed = distributions(path=[str(work / "all")])
        sizes = {d.metadata["Name"].replace("_", "-").lower(): size_of(d) for d in installed}
        own = sizes.pop(title.replace("_", "-").lower())
        version = wheel.name.split("-")[1]
        seconds = import_seconds(MODULES.get(title, title), work / "all", rounds)
        return Footprint(f"{title} {version}", packed, own, len(sizes), sum(sizes.values()), seconds)


def table(rows: list[Footprint]) -> str:
    lines = [
        "| | wheel MB | unpacked MB | dependencies | their MB | import ms |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | {row.wheel / 1e6:.1f} | {row.unpacked / 1e6:.1f} | {row.dependencies} | "
            f"{row.brought / 1e6:.0f} | {1e3 * row.seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", nargs="+", default=[])
    args = parser.parse_args()
    if args.peers:
        if args.wheel is None:
            parser.error("--peers compares a wheel: give its file first")
        print(table([of_installation(what, args.rounds) for what in (str(args.wheel), *args.peers)]))
        return
    packed, unpacked = of_wheel(args.wheel) if args.wheel else of_package()
    times = [
        float(subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout)
        for _ in range(args.rounds)
    ]
    print(f"wheel {packed / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB")
    print(f"import striate: {1e3 * statistics.median(times):.1f} ms over import numpy")


if __name__ == "__main__":
    main()
