"""Run the fuzz targets: the C++ ones of a build with STRIATE_FUZZ, and the `fuzz_*.py` beside this file.

    python tests/fuzz/run.py --build BUILD_DIR              # each target for 30 seconds
    FULL=1 python tests/fuzz/run.py --build BUILD_DIR       # each target for 30 minutes
    python tests/fuzz/run.py --build BUILD_DIR --seconds 600 --corpus DIR idx json

Each target first runs every file of `corpus/TARGET` and `regressions/TARGET`, then new inputs. A crash, a leak, or an
input that takes more than 10 seconds or more memory than the limit ends the target; its input is written to
`--artifacts`. The exit status is 1 if that happened to any target. With `--corpus DIR`, new inputs are kept in
DIR/TARGET, and a later run goes on from them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMEOUT = 10  # seconds for one input
MEMORY = 2048  # MiB for the process: what libFuzzer and AddressSanitizer keep, beside the target


def targets(build: Path | None) -> dict[str, list[str]]:
    """The command of each target, by the name without `fuzz_`."""
    found: dict[str, list[str]] = {}
    if build is not None:
        for program in sorted((build / "tests" / "fuzz").glob("fuzz_*")):
            if program.is_file() and os.access(program, os.X_OK):
                found[program.stem.removeprefix("fuzz_")] = [str(program)]
    for script in sorted(HERE.glob("fuzz_*.py")):
        found[script.stem.removeprefix("fuzz_")] = [sys.executable, str(script)]
    return found


def run(name: str, command: list[str], options: argparse.Namespace, scratch: Path) -> dict[str, object]:
    """Fuzz one target and return its row of the table."""
    kept = (options.corpus or scratch) / name
    kept.mkdir(parents=True, exist_ok=True)
    artifacts = options.artifacts / name
    artifacts.mkdir(parents=True, exist_ok=True)
    seeds = [folder / name for folder in (HERE / "corpus", HERE / "regressions") if (folder / name).is_dir()]
    dictionary = HERE / f"{name}.dict"
    flags = [
        f"-max_total_time={options.seconds}",
        f"-timeout={TIMEOUT}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={artifacts}/",
        f"-seed={options.seed}",
        "-print_final_stats=1",
        "-reload=0",
    ]
    if dictionary.exists():
        flags.append(f"-dict={dictionary}")
    # One thread: the target is what is tested, and threads would hide its cost.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "STRIATE_NUM_THREADS": "1"}
    began = time.monotonic()
    process = subprocess.run(
        [*command, *flags, str(kept), *map(str, seeds)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A target that does not end is an error too.
        timeout=options.seconds + 300,
        check=False,
    )
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", process.stdout)
    coverage = re.findall(r"cov: (\d+)", process.stdout)
    row: dict[str, object] = {
        "target": name,
        "executions": int(executions[1]) if executions else 0,
        "coverage": int(coverage[-1]) if coverage else 0,
        "inputs": sum(1 for _ in kept.iterdir()),
        "seconds": round(time.monotonic() - began),
        "ok": process.returncode == 0 and executions is not None,
    }
    if not row["ok"]:
        print(f"--- {name}: exit status {process.returncode}; inputs in {artifacts}")
        print(process.stdout[-6000:], flush=True)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="targets to run; default: all")
    parser.add_argument("--build", type=Path, help="CMake build folder with the C++ targets")
    parser.add_argument("--seconds", type=int, default=1800 if os.environ.get("FULL") == "1" else 30)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("STRIATE_SEED", "0"), 16) % 2**31 or 1)
    parser.add_argument("--corpus", type=Path, help="folder in which new inputs are kept")
    parser.add_argument("--artifacts", type=Path, default=Path(tempfile.gettempdir()) / "striate-fuzz")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--json", type=Path, help="file for the table as JSON")
    options = parser.parse_args()

    found = targets(options.build)
    unknown = set(options.names) - set(found)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(found) or 'none'}")
    rows = []
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(lambda name: run(name, found[name], options, Path(scratch)), options.names or found):
            rows.append(row)
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{sum(int(str(row['executions'])) for row in rows):,} executions of {len(rows)} targets")
    return 0 if rows and all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
