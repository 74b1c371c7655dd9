"""What an installed striate weighs: the wheel's size, packed and unpacked, and how long `import striate` takes.

    python benchmarks/footprint.py             # of the package that is installed
    python benchmarks/footprint.py a.whl       # of a wheel

The time of the import is over that of `import numpy`, the median of several fresh processes.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

CODE = "import numpy, time; start = time.perf_counter(); import striate; print(time.perf_counter() - start)"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    packed, unpacked = of_wheel(args.wheel) if args.wheel else of_package()
    times = [
        float(subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout)
        for _ in range(args.rounds)
    ]
    print(f"wheel {packed / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB")
    print(f"import striate: {1e3 * statistics.median(times):.1f} ms over import numpy")


if __name__ == "__main__":
    main()
