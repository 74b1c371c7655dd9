"""Tables for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_CELL = "padding:2px 10px;white-space:nowrap;text-align:"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], left: int, foot: Sequence[str] = ()) -> str:
    """A table in HTML, in whatever fonts and colours the page has. All text is escaped.

    Args:
        title: above the table.
        head: of the columns.
        rows: a text for each column.
        left: how many columns, the first ones, are set to the left; numbers go to the right.
        foot: lines below the table.
    """

    def line(tag: str, cells: Sequence[str]) -> str:
        sides = ("left" if column < left else "right" for column in range(len(cells)))
        return "".join(
            f'<{tag} style="{_CELL}{side}">{escape(cell)}</{tag}>' for side, cell in zip(sides, cells, strict=True)
        )

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    notes = "".join(f"<div>{escape(text)}</div>" for text in foot)
    return (
        f'<div><strong>{escape(title)}</strong><table style="border-collapse:collapse">'
        f"<thead><tr>{line('th', head)}</tr></thead><tbody>{body}</tbody></table>{notes}</div>"
    )
