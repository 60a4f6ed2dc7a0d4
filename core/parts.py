"""The part taxonomy: the only place that knows which parts a portrait has, and in which order.

Left and right of a pair (brows, eyes, ears) are one part: one code shapes both, as an artist
expects, and a lookup table with half as many rows costs half as much. Lips and inner mouth are one
part because the rendered data labels them so.

Background and transparent parts:

* ``background`` is not lifted: it stands behind everything and stays fixed to the picture, and its
  share of a pixel is the transmittance that is left after all other parts.
* ``optional`` parts (hair, glasses, hat, earrings) may be absent from a portrait. An absent part
  has density 0, not a code that happens to look empty, so that it can be shown on any portrait.
* ``transparent`` parts are thin and let what is behind them through; they are left out of the
  reference depth of a portrait. Lenses of glasses are not labelled in the data: only rims are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One semantic part.

    Attributes:
        name: identifier used in files, properties and code.
        label: what a person reads.
        color: sRGB of the part in label pictures, 0-255.
        celeba: classes of CelebAMask-HQ that belong to this part.
        optional: whether a portrait may lack the part.
        transparent: whether the part lets what is behind it through.
    """

    name: str
    label: str
    color: tuple[int, int, int]
    celeba: tuple[str, ...]
    optional: bool = False
    transparent: bool = False


PARTS: tuple[Part, ...] = (
    Part("background", "Background", (0, 0, 0), ()),
    Part("skin", "Face", (204, 120, 100), ("skin",)),
    Part("brows", "Brows", (240, 220, 80), ("l_brow", "r_brow")),
    Part("eyes", "Eyes", (50, 80, 230), ("l_eye", "r_eye")),
    Part("nose", "Nose", (80, 200, 80), ("nose",)),
    Part("mouth", "Mouth", (220, 30, 60), ("mouth", "u_lip", "l_lip")),
    Part("ears", "Ears", (190, 95, 215), ("l_ear", "r_ear")),
    Part("hair", "Hair", (110, 60, 20), ("hair",), optional=True),
    Part("neck", "Neck", (240, 160, 130), ("neck", "neck_l")),
    Part("clothes", "Clothes", (40, 170, 170), ("cloth",)),
    Part("glasses", "Glasses", (120, 120, 120), ("eye_g",), optional=True, transparent=True),
    Part("hat", "Hat", (200, 200, 200), ("hat",), optional=True),
    Part("earrings", "Earrings", (255, 255, 0), ("ear_r",), optional=True, transparent=True),
)
PART_NAMES: tuple[str, ...] = tuple(part.name for part in PARTS)
PART_COUNT: int = len(PARTS)
BACKGROUND: int = PART_NAMES.index("background")
FACE_BASE: int = PART_NAMES.index("skin")
FACE_PARTS = ("skin", "brows", "eyes", "nose", "mouth", "ears", "neck")
"""Parts of one blend of people, which w_base follows too: a mouth lies where its face has room for
it, and skin holds the light and the shadow of a beard around it."""
FACE = tuple(PART_NAMES.index(name) for name in ("skin", "brows", "eyes", "nose", "mouth"))
"""Indices of the parts that lie on the front of a face: what hides one hides all."""
PAINTED = tuple(PART_NAMES.index(name) for name in ("brows", "eyes", "nose", "mouth"))
"""Parts with colours that are finer than rays (:mod:`.paint`)."""
BRINGS_BASE = tuple(PART_NAMES.index(name) for name in ("background", "hair", "clothes", "hat"))
"""Parts that keep the w_base of whom they are from, wherever they are put.

w_base holds light, and what training always saw around a head. Made with another head's, short
hair had ghosts of that head's long hair around it, and cloth its colours. What lies on a face
(eyes, glasses …) follows the face instead: its width, and its skin.
"""


def part_index(name: str) -> int:
    """Index of the part called ``name``.

    Raises:
        ValueError: no part has that name; the message lists those that exist.
    """
    try:
        return PART_NAMES.index(name)
    except ValueError:
        known = ", ".join(PART_NAMES)
        raise ValueError(f"There is no part {name!r}. Parts are: {known}.") from None


def part_named(name: str) -> Part:
    """The part called ``name``.

    Raises:
        ValueError: as :func:`part_index`.
    """
    return PARTS[part_index(name)]
