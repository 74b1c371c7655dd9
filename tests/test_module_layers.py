"""The modules of the package form a stack: each imports modules of its own level or of lower ones, never in a circle.

Imports within functions and imports for type checkers count like any others.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import striate

ROOT = Path(striate.__file__).parent
STACK = (
    "_core",
    "_ahead _arrays _attributes _batches _checks _custom_objects _described _devices _extras _files _html _keras_names "
    "_kin _names _own_classes _own_code _sharing _switches _tables _threads",
    "_data _outputs _reading _rows _sources activations callbacks data detection distributed history initializers "
    "layers losses metrics optimizers backend cuda progress regularizers runtime testing utils",
    "_architecture _building _placeholders network",
    "_saving inspection summary onnx._budget onnx._export_layers onnx._exporter onnx._files onnx._values onnx._writer",
    "_compiling _cut _feeding _meters _prepared _sharded _streaming _together _training_files _walk profiling trainer",
    "model sequential",
    "_backbones finetuning interop io models onnx segmentation sklearn viz",
    "striate",
    "cli __main__",
)
LEVELS = {name: level for level, names in enumerate(STACK) for name in names.split()}


def level(module: str) -> int:
    """The level of a module, or of the nearest package around it that the stack names."""
    name = module.removeprefix("striate.")
    while name not in LEVELS:
        assert name, f"{module} is at no level of the stack: add it to STACK"
        name = name.rpartition(".")[0]
    return LEVELS[name]


def imports() -> dict[str, set[str]]:
    """What each module imports of the package, wherever the import is."""
    names = {".".join(("striate", *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py*")}
    files = {name.removesuffix(".__init__"): path for name, path in names.items() if path.suffix in (".py", ".pyi")}
    found: dict[str, set[str]] = {}
    for module, path in files.items():
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[module] |= {alias.name for alias in node.names} & files.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.level == 0, f"{module}: relative import"
                each = {f"{node.module}.{alias.name}" for alias in node.names}
                found[module] |= {name if name in files else node.module for name in each} & files.keys()
    return found


def test_modules_import_lower_levels_alone_and_never_in_a_circle() -> None:
    found = imports()
    assert [f"{a} -> {b}" for a, names in found.items() for b in sorted(names) if level(b) > level(a)] == []
    tuple(TopologicalSorter(found).static_order())  # CycleError names the modules of a circle
