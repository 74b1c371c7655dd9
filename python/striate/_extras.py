"""Optional libraries, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

# Where pip knows a library by another name than Python does.
_PROJECTS = {"PIL": "Pillow", "sklearn": "scikit-learn"}


def require(module: str, extra: str, what: str) -> ModuleType:
    """Import an optional library, or say how to get it.

    Args:
        module: dotted name of the module, for example `"PIL.Image"`.
        extra: the extra of striate that brings it, for example `"data"`.
        what: what needs it, as the user knows it, for example `"striate.data.read_image"`.

    Returns:
        The imported module.

    Raises:
        ImportError: the library is missing (the message names the extra), or it is there and fails to import
            (the message carries its own complaint).
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        project = _PROJECTS.get(top, top)
        if isinstance(error, ModuleNotFoundError) and error.name == top:
            raise ImportError(f"{what} needs {project}: pip install 'striate[{extra}]'", name=top) from error
        raise ImportError(
            f"{what} needs {project}, which is installed but fails to import: {error}; "
            f"try pip install --upgrade 'striate[{extra}]'",
            name=top,
        ) from error
