"""Sphinx: `pip install '.[docs]' && sphinx-build -W docs build/docs`."""

from __future__ import annotations

import striate

project = "striate"
copyright = "the striate authors"
release = version = striate.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
exclude_patterns = ["build"]
default_role = "code"  # docstrings set code in single backticks
autodoc_default_options = {"members": True, "inherited-members": False, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
html_theme = "furo"
html_title = f"striate {release}"
