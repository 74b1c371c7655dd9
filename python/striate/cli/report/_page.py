"""From the content of a report to its page."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

from striate._extras import require


def require_report() -> None:
    """ImportError, which names the extra, unless reports can be written."""
    require("jinja2", "cli", "the report (or give --no-report)")
    require("PIL.Image", "cli", "the report (or give --no-report)")


def render(content: dict[str, Any]) -> str:
    """The page: one file that needs no other, and no network."""
    jinja = require("jinja2", "cli", "the report")
    here = files("striate.cli.report")
    environment = jinja.Environment(autoescape=True, undefined=jinja.StrictUndefined)
    template = environment.from_string(here.joinpath("page.html.j2").read_text(encoding="utf-8"))
    # Within a script element, "</" would end it, and "<!--" change how it is read.
    data = json.dumps(_finite(content), ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return str(
        template.render(
            content=content,
            data=data,
            style=here.joinpath("page.css").read_text(encoding="utf-8"),
            script="\n".join(here.joinpath(name).read_text(encoding="utf-8") for name in ("charts.js", "page.js")),
        )
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
