"""A Sphinx directive: `.. members:: striate.layers` is a table of the public names of a module or of the members of a
class, with the first sentence of each, and below it their documentation. Options go to `automodule` or `autoclass`.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles


def members(path: str) -> tuple[Any, list[str]]:
    """A module or class, and the names of its documented public members, constants
    apart."""
    try:
        target: Any = importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        target = getattr(importlib.import_module(module), name)
    if inspect.ismodule(target):
        listed = getattr(target, "__all__", None)
        if listed is None:
            own = inspect.getmembers(
                target, lambda member: getattr(member, "__module__", "") == path
            )
            listed = [name for name, _ in own if not name.startswith("_")]
        # A constant has no sentence of its own: what it is made of has one.
        return target, [name for name in listed if callable(getattr(target, name))]
    found = [
        (name, member)
        for name, member in inspect.getmembers(target)
        if not name.startswith("_") and inspect.getdoc(member)
    ]
    return target, [
        name
        for name, member in found
        if callable(member) or isinstance(member, property)
    ]


class Members(SphinxDirective):
    """The directive."""

    required_arguments = 1
    option_spec = {  # noqa: RUF012
        "inherited-members": directives.flag,
        "exclude-members": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        path = self.arguments[0]
        target, names = members(path)
        excluded = self.options.get("exclude-members", "").replace(",", " ").split()
        is_module = inspect.ismodule(target)
        module, _, name = (path, "", "") if is_module else path.rpartition(".")
        prefix = f"{name}." if name else ""
        text = [f".. currentmodule:: {module}", ""]
        text += [".. autosummary::", "   :nosignatures:", ""]
        text += [f"   ~{prefix}{n}" for n in sorted(names) if n not in excluded]
        text += ["", f".. {'automodule' if is_module else 'autoclass'}:: {path}"]
        text += [
            f"   :{name}: {value or ''}".rstrip()
            for name, value in self.options.items()
        ]
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(
            self.state, StringList(text, source=f"members of {path}"), node
        )
        return list(node.children)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("members", Members)
    return {"parallel_read_safe": True}
