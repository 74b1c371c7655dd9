"""`python -m striate.cuda.report`: the plugin, the first GPU, and where each kernel runs."""

from __future__ import annotations

from striate._devices import cuda_description
from striate.cuda import kernel_places


def main() -> None:
    """Print the table."""
    places = kernel_places()
    print(f"CUDA {cuda_description()}")
    width = max(map(len, places))
    for place in ("GPU", "CPU", "not used"):
        names = [name for name, where in places.items() if where == place]
        print(f"\n{place}: {len(names)} of {len(places)} kernels")
        columns = max(1, 100 // (width + 2))
        for first in range(0, len(names), columns):
            print("  " + "".join(name.ljust(width + 2) for name in names[first : first + columns]).rstrip())


if __name__ == "__main__":
    main()
