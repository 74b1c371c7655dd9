"""Sphinx: `pip install '.[docs]' && sphinx-build -W docs build/docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.ext.napoleon.docstring import GoogleDocstring

import striate

sys.path.insert(0, str(Path(__file__).parent))  # of members.py

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
    "members",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
exclude_patterns = ["build"]
autosummary_generate = False
default_role = "code"  # docstrings set code in single backticks
autodoc_default_options = {
    "members": True,
    "inherited-members": False,
    "show-inheritance": True,
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
maximum_signature_line_length = 88
html_theme = "furo"
html_title = f"striate {release}"

# A property's docstring is a text. Napoleon would take the words before a colon as its type.
GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end
