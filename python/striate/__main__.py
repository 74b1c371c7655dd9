"""`python -m striate`: the striate command; with `--cmake-dir`, where CMake finds the library."""

import sys
from pathlib import Path


def cmake_dir() -> Path:
    """The folder of this installation's striateConfig.cmake, for `cmake -Dstriate_DIR=...`.

    Raises:
        FileNotFoundError: there is none, as in a source tree and in wheels for Windows.
    """
    folder = Path(__file__).resolve().parent / "lib" / "cmake" / "striate"
    if not (folder / "striateConfig.cmake").is_file():
        raise FileNotFoundError(
            f"this striate has no CMake package (no {folder}); install one by cmake --install, or add_subdirectory"
        )
    return folder


def main() -> int:
    if sys.argv[1:] == ["--cmake-dir"]:
        try:
            print(cmake_dir())
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    from striate.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
