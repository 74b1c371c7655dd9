import subprocess
import sys

import pytest

from striate._extras import require


def test_require_returns_the_module():
    assert require("PIL.Image", "data", "a test").__name__ == "PIL.Image"
    assert require("json", "data", "a test") is sys.modules["json"]


def test_a_missing_library_names_its_extra():
    with pytest.raises(ImportError) as error:
        require("no_such_library_anywhere.part", "plot", "striate.viz.curves")
    assert str(error.value) == ("striate.viz.curves needs no_such_library_anywhere: pip install 'striate[plot]'")
    assert error.value.name == "no_such_library_anywhere"


def test_pillow_is_named_as_pip_knows_it(monkeypatch):
    for name in [name for name in sys.modules if name == "PIL" or name.startswith("PIL.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Hide("PIL"), *sys.meta_path])
    with pytest.raises(ImportError, match=r"^striate\.data\.read_image needs Pillow: pip install 'striate\[data\]'$"):
        require("PIL.Image", "data", "striate.data.read_image")


def test_a_broken_library_keeps_its_own_complaint(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("import a_part_that_is_not_there")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ImportError, match="installed but fails to import: No module named 'a_part_that_is_not_there'"):
        require("broken_library", "data", "a test")


def test_striate_data_loads_no_optional_library():
    code = "import sys, striate.data; print([name for name in ('PIL', 'pydicom', 'matplotlib') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


class _Hide:
    """An import hook under which a library is not installed."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path=None, target=None):
        if name == self.name or name.startswith(self.name + "."):
            raise ModuleNotFoundError(f"No module named {self.name!r}", name=self.name)
        return None
