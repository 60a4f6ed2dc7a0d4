"""The user guide's pictures, out of a tour's screenshots.

    .venv/bin/python tests/gui/guide_pictures.py OUT docs/images

OUT is the folder that ``run.sh`` has filled at its default window size.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from PIL import Image

WINDOW = (1440, 1100)


class View(NamedTuple):
    """What a picture shows of a screenshot.

    Attributes:
        stop: name of the screenshot, without its number.
        box: left, top, right and bottom in its pixels; None is all of it.
        size: of the picture; None leaves it as large as it is.
    """

    stop: str
    box: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None


WHOLE, SMALL = (1000, 764), (900, 688)
PICTURES = {
    "panel": View("suggestions", (0, 0, 1440, 1010)),
    "guide/added": View("added", size=WHOLE),
    "guide/card": View("card", size=WHOLE),
    "guide/f12": View("f12", size=(800, 611)),
    "guide/locked": View("locked", size=WHOLE),
    "guide/mesh_options": View("mesh_options", (650, 695, 1090, 1025)),
    "guide/meshes": View("meshes", size=SMALL),
    "guide/orbit": View("orbit", size=SMALL),
    "guide/part": View("part_seed", size=WHOLE),
    "guide/preferences": View("preferences", size=WHOLE),
    "guide/range": View("range_outside", size=SMALL),
    "guide/rendered": View("rendered", size=WHOLE),
    "guide/sheet": View("sheet", (321, 228, 861, 826)),
    "guide/suggestions": View("suggestions", (895, 80, 1162, 790)),
    "guide/turntable": View("turntable", size=SMALL),
    "guide/wish": View("wish", size=WHOLE),
}


def make(tour: Path, view: View) -> Image.Image:
    """The picture of one view.

    Raises:
        SystemExit: the tour has no such screenshot, or its window had another size.
    """
    found = sorted(tour.glob(f"[0-9][0-9]_{view.stop}.png"))
    if len(found) != 1:
        raise SystemExit(f"{tour} has {len(found)} screenshots of {view.stop}; run the whole tour.")
    picture = Image.open(found[0]).convert("RGB")
    if picture.size != WINDOW:
        raise SystemExit(f"{found[0]} is {picture.size}; run the tour with SIZE=1440x1100.")
    if view.box is not None:
        picture = picture.crop(view.box)
    return picture if view.size is None else picture.resize(view.size, Image.Resampling.LANCZOS)


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tour", type=Path, metavar="OUT")
    parser.add_argument("images", type=Path)
    options = parser.parse_args()
    made = {name: make(options.tour, view) for name, view in PICTURES.items()}
    for name, picture in made.items():
        picture.save(options.images / f"{name}.jpg", quality=88)


if __name__ == "__main__":
    main()
