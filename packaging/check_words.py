"""Find words that the texts of this repository do not use: `python packaging/check_words.py FILE ...`.

CONTRIBUTING.md states the style: short sentences and the standard terms of the field. `WORDS` has, for each word that
is not used, what to write instead; `TERMS` are standard terms that contain such a word. Names in code count too.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

WORDS = {
    r"mend(s|ed|ing)?": "fix, correct, convert",
    r"who(so)?ever": "the user, the caller, any program that",
    r"neighbou?rs?": "adjacent; for processes: other processes",
    r"lies?": "is, is stored",
    r"stands?": "is; for symbols: means, replaces",
    r"rubbish": "undefined values",
}
TERMS = (r"nearest[ -_]neighbou?rs?", r"k[- ]neighbou?rs", r"KNeighbors\w*")
NOT_CHECKED = ("packaging/check_words.py", "LICENSE")
_TERM = re.compile("|".join(TERMS), re.IGNORECASE)
# A word ends at an underscore, a digit and a capital letter: `mend_boxes` and `mendBoxes` have one too.
_WORDS = {re.compile(rf"(?<![A-Za-z])(?:{word})(?![a-z])", re.IGNORECASE): better for word, better in WORDS.items()}


def problems(name: str, text: str) -> list[str]:
    """A line for each word of a text that is not used."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = _TERM.sub("", line)
        for word, better in _WORDS.items():
            found += [f'{name}:{number}: "{match[0]}"; write: {better}' for match in word.finditer(line)]
    return found


def main() -> None:
    found: list[str] = []
    for name in sys.argv[1:]:
        if not name.endswith(NOT_CHECKED):
            found += problems(name, Path(name).read_text(encoding="utf-8", errors="ignore"))
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
