"""Collect the messages of all errors: `python tests/messages/collect.py` writes python.txt and cpp.txt.

A line has the type of the error and its message; `{}` replaces values. Messages that another function composes appear
as the call of that function. The lists make every message visible when it is added or changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_CALL = re.compile(r"\b(?:throw (\w+Error)|(require|fail))\(")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def template(node: ast.expr) -> str:
    """The text of a message, with `{}` for values."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return f"<{node.func.id}>"
    return "{}"


def python_messages() -> Iterator[str]:
    for path in sorted((ROOT / "python" / "striate").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                kind = ast.unparse(node.exc.func)
                yield f"{kind}: {' | '.join(template(argument) for argument in node.exc.args)}".strip()


def arguments(text: str, start: int) -> str:
    """The text between the parenthesis before `start` and the one that closes it."""
    depth, at = 1, start
    while depth:
        quoted = _STRING.match(text, at)
        if quoted:
            at = quoted.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[start : at - 1]


def parts(text: str) -> list[str]:
    """Arguments, split at the commas between them."""
    found, depth, at, begin = [], 0, 0, 0
    while at < len(text):
        quoted = _STRING.match(text, at)
        if quoted:
            at = quoted.end()
            continue
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(text[at], 0)
        if text[at] == "," and not depth:
            found.append(text[begin:at])
            begin = at + 1
        at += 1
    return [*found, text[begin:]]


def cpp_messages() -> Iterator[str]:
    folders = (ROOT / "cpp" / name for name in ("include", "src", "bindings"))
    for path in sorted(path for folder in folders for path in folder.rglob("*.?pp")):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
        for match in _CALL.finditer(text):
            given = parts(arguments(text, match.end()))
            if match[2] == "require":
                given = given[1:]
            if len(given) == 1 and given[0].strip().startswith("concat("):
                given = parts(arguments(given[0].strip(), len("concat(")))
            pieces = []
            for part in given:
                strings = _STRING.findall(part)
                only = re.fullmatch(r'\s*(?:"(?:[^"\\]|\\.)*"\s*)+', part)
                pieces.append("".join(strings) if only else "{}")
            message = "".join(pieces)
            if re.search(r"[a-z]", message):  # declarations have none
                yield f"{match[1] or 'ValueError'}: {message}"


def lists() -> dict[Path, str]:
    """Each file and what it should hold."""
    return {
        HERE / "python.txt": "\n".join(sorted(set(python_messages()))) + "\n",
        HERE / "cpp.txt": "\n".join(sorted(set(cpp_messages()))) + "\n",
    }


if __name__ == "__main__":
    for path, text in lists().items():
        path.write_text(text, encoding="utf-8")
