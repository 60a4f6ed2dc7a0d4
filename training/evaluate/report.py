"""The table of numbers, and the JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.files import write_bytes

KEYS = (
    "face_found_30",
    "face_found_45",
    "yaw_mae_deg",
    "mask_miou_ratio",
    "edit_outside_ratio",
    "view_disagreement_ratio",
    "frechet_ratio",
)
"""Keys that every JSON file has; null where the number could not be computed."""


@dataclass
class Row:
    """One line: a number of the model beside the renders' own."""

    key: str
    name: str
    model: float
    renders: float
    form: str


@dataclass
class Report:
    """Everything that was measured.

    Attributes:
        values: what goes into the JSON file.
        missing: why a key is null.
        rows: the table, with headings as plain text.
    """

    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: list[Row | str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Begin a group of rows."""
        self.rows.append(text)

    def add(
        self,
        key: str,
        name: str,
        model: float,
        renders: float = math.nan,
        form: str = ".3f",
        reason: str = "nothing to compare was found",
    ) -> None:
        """A row of the table; its numbers are kept as ``key`` and ``key.renders``."""
        self.rows.append(Row(key, name, model, renders, form))
        self.keep(key, model, reason)
        if not math.isnan(renders):
            self.values[f"{key}.renders"] = renders

    def keep(self, key: str, value: float, reason: str) -> None:
        """A number of the JSON file; NaN means that it could not be computed."""
        if math.isnan(value):
            self.missing[key] = reason
        else:
            self.values[key] = value

    def without(self, keys: Sequence[str], reason: str) -> None:
        """Numbers that could not be computed, and why."""
        for key in keys:
            self.missing[key] = reason

    def text(self, previous: dict[str, float] | None = None) -> str:
        """The table; ``previous`` are the values of an earlier model's JSON file."""
        before = previous or {}
        lines = [_line("", "model", "renders", "previous" if previous else "")]
        for row in self.rows:
            if isinstance(row, str):
                lines.append(f"\n{row}")
                continue
            lines.append(
                _line(
                    f"  {row.name}",
                    _number(row.model, row.form),
                    _number(row.renders, row.form),
                    _number(before.get(row.key, math.nan), row.form) if previous else "",
                )
            )
        lines.append("")
        for key in KEYS:
            value = self.values.get(key)
            shown = f"{value:.3f}" if value is not None else f"null: {self.missing.get(key, '')}"
            lines.append(f"{key:<26}{shown}")
        other = {k: why for k, why in self.missing.items() if k not in KEYS}
        lines += [f"{key:<26}null: {why}" for key, why in other.items()]
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Write the JSON file, at once or not at all."""
        document = {key: self.values.get(key) for key in KEYS} | dict(sorted(self.values.items()))
        reasons = {"missing": self.missing} if self.missing else {}
        write_bytes(path, (json.dumps(document | reasons, indent=1) + "\n").encode())


def _line(name: str, model: str, renders: str, previous: str) -> str:
    return f"{name:<46}{model:>10}{renders:>10}{previous:>10}".rstrip()


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)
