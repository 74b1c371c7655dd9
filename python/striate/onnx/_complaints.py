"""What a model cannot be loaded for: every part, with those that may only be consequences apart."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 3  # nodes of one reason


class Complaints:
    """Collects reasons.

    Attributes:
        unknown: tensors that are replaced by inputs of the same shape, or depend on such: what is wrong behind them may
            be a consequence.
    """

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self._parts: dict[tuple[bool, str, str], list[str]] = {}
        self._reached: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, part: str, reason: str) -> None:
        """Note a part of the model that is not a node."""
        self._parts.setdefault((True, part, reason), [])

    def of_node(self, kind: str, name: str, reason: str, computed: Sequence[str], no_layer: bool) -> None:
        """Note a node.

        Args:
            kind: its operator.
            name: its name or number.
            reason: why it cannot be converted.
            computed: those of its inputs that the network computes.
            no_layer: whether there is no layer for the operator, so that this is no consequence.
        """
        cause = no_layer or self.unknown.isdisjoint(computed)
        self._parts.setdefault((cause, kind, reason), []).append(name)
        self._reached.update((item, None) for item in computed if item not in self.unknown)

    def text(self) -> str:
        """All of it."""
        lines = [
            [self._line(*key, names) for key, names in self._parts.items() if key[0] is cause]
            for cause in (True, False)
        ]
        count = sum(max(len(names), 1) for names in self._parts.values())
        text = f"striate has no layers for {count} of its parts:\n  " + "\n  ".join(lines[0])
        if lines[1]:
            text += "\nBehind them, and perhaps as a consequence:\n  " + "\n  ".join(lines[1])
        if self._reached:
            ends = list(self._reached)
            shown = ", ".join(map(repr, ends[:_NAMED])) + (
                f" and {len(ends) - _NAMED} more" if len(ends) > _NAMED else ""
            )
            text += f"\nThe part of the graph that ends in {shown} has layers; onnx.utils.extract_model cuts it out."
        return text

    @staticmethod
    def _line(cause: bool, kind: str, reason: str, names: Sequence[str]) -> str:
        if not names:
            return f"{kind}: {reason}"
        if len(names) == 1:
            return f"{kind} node {names[0]}: {reason}"
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"{len(names)} {kind} nodes, {', '.join(names[:_NAMED])}{more}: {reason}"
