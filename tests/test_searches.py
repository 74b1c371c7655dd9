"""The search of docs/searches.md with Ray Tune, whose processes take longer to start than those of all others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "searches.md").read_text(encoding="utf-8")


@pytest.mark.timeout(1200)
def test_ray_tune(tmp_path: Path) -> None:
    pytest.importorskip("ray.tune", reason="Ray Tune is missing: pip install 'ray[tune]'")
    for name, text in re.findall(
        r'^Path\("(\w+\.py)"\)\.write_text\(\n    """\n(.*?)"""', PAGE, re.MULTILINE | re.DOTALL
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    shown = re.search(r"^```\n\$ python tune\.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown is not None
    patient = {"RAY_raylet_start_wait_time_s": "600", "RAY_AUTH_MODE": "disabled", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "tune.py"],
        cwd=tmp_path,
        env={**os.environ, **patient},
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(shown[1]), done.stdout
