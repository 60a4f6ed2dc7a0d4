"""Seeds of people like a portrait: any part can be had by its seed, but few go with a face.

And of people who are as is wished (``wishes``).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bpy.app.translations import pgettext_iface as iface_

from ..core.attributes import ATTRIBUTES, BY_NAME
from ..core.errors import PortraitError
from ..core.parts import FACE_PARTS
from . import preferences, properties, runtime

if TYPE_CHECKING:
    from .properties import SSGAN3D_PG_portrait

DRAWN = 16  # people of whom a draw takes the one who is most like the portrait
_LOOKED_AT = 512
_ROUNDS = 16
"""How often so many people are looked at for those who are as is wished: the rarest hair of the
rarest colour is that of one in a thousand."""


def wishes(settings: SSGAN3D_PG_portrait) -> dict[str, str]:
    """What is wished for, value by attribute."""
    values = {one.name: getattr(settings.wishes, one.name) for one in ATTRIBUTES}
    return {name: value for name, value in values.items() if value != properties.ANYTHING}


def wishes_of(settings: SSGAN3D_PG_portrait, name: str) -> dict[str, str]:
    """What counts when one part is drawn: the face, all of it, is one person's."""
    return {
        wish: value
        for wish, value in wishes(settings).items()
        if BY_NAME[wish].part == name or (BY_NAME[wish].is_personal and name in FACE_PARTS)
    }


def who_are(
    choice: runtime.ModelChoice, wanted: Mapping[str, str], count: int, dice: random.Random
) -> list[int]:
    """Seeds by chance whose people are as is wished, ``count`` at most; any, if nothing is.

    Any thread may call it; it loads the model where something is wished for.

    Raises:
        PortraitError: there is nobody, or the model does not tell.
    """
    if not wanted:
        return dice.sample(range(properties.DRAWN_SEEDS), count)
    engine, found = runtime.engine(choice), []
    for _ in range(_ROUNDS):
        found += engine.having(dice.sample(range(properties.DRAWN_SEEDS), _LOOKED_AT), wanted)
        if len(found) >= count:
            break
    if not found:
        labels = (iface_(BY_NAME[name].label_of(value)) for name, value in wanted.items())
        raise PortraitError(
            "None of {0} people is all of this: {1}. Set one of the wishes to Any.",
            _ROUNDS * _LOOKED_AT,
            ", ".join(labels),
        )
    return found[:count]


def of(
    choice: runtime.ModelChoice, look: dict[str, Any], candidates: list[int], count: int
) -> tuple[int, ...]:
    """Those ``count`` candidates whose faces are most like a look's, best first.

    Any thread may call it; it loads the model.
    """
    from ..core.recipe import PortraitRecipe

    engine, recipe = runtime.engine(choice), PortraitRecipe.from_dict(look)
    portrait = recipe.resolve(engine)
    return tuple(engine.most_alike(portrait, candidates, count, recipe.truncation))


def draw(look: dict[str, Any], wanted: Mapping[str, str], dice: random.Random | None = None) -> int:
    """A seed by chance for one part of a portrait.

    Where the model is at hand it is one of several, whose face is most like the portrait's. A click
    does not wait for a model to be loaded, unless something is wished for: without it, chance
    decides alone.

    Args:
        look: of the portrait (``snapshot``).
        wanted: what is wished for, as of :func:`wishes_of`.

    Raises:
        PortraitError: nobody is as is wished.
    """
    dice, choice = dice or random.Random(), preferences.model_choice()
    candidates = who_are(choice, wanted, DRAWN, dice)
    if wanted or runtime.is_ready(choice):
        try:
            return of(choice, look, candidates, 1)[0]
        except PortraitError:  # a value that no picture can be made of: a part may change even so
            pass
    return candidates[0]


def draw_face(settings: SSGAN3D_PG_portrait) -> int:
    """A seed by chance for another person, whose face is as is wished.

    Raises:
        PortraitError: nobody is.
    """
    wanted = {
        name: value for name, value in wishes(settings).items() if BY_NAME[name].part in FACE_PARTS
    }
    return who_are(preferences.model_choice(), wanted, 1, random.Random())[0]
