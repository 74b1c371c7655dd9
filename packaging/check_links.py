"""Check the links of Markdown pages: `python packaging/check_links.py PAGE ...`.

A link to a file, and to a heading of a page, must lead to one. Links to other hosts must use https; they are not
opened.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def anchor(heading: str) -> str:
    """The name by which GitHub and Sphinx link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def problems(page: Path) -> list[str]:
    """A line for each link of a page that leads nowhere."""
    found = []
    for groups in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        link = "".join(groups)
        if re.match(r"[a-z+]+:", link):
            if not link.startswith("https://"):
                found.append(f"{page}: the link {link} does not use https")
            continue
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists():
            found.append(f"{page}: the link {link} leads to no file")
        elif heading and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            if heading not in map(anchor, headings):
                found.append(f"{page}: the link {link} leads to no heading")
    return found


def main() -> None:
    found = [problem for name in sys.argv[1:] for problem in problems(Path(name))]
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
