"""Seeds of people like a portrait: any part can be had by its seed, but few go with a face."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ..core.errors import PortraitError
from . import preferences, properties, runtime, snapshot

if TYPE_CHECKING:
    from .properties import SSGAN3D_PG_portrait

DRAWN = 16  # people of whom a draw takes the one who is most like the portrait


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


def draw(settings: SSGAN3D_PG_portrait) -> int:
    """A seed by chance for one part of a portrait.

    Where the model is at hand it is one of several, whose face is most like the portrait's. A click
    does not wait for a model to be loaded: without it, chance decides alone.
    """
    candidates = random.sample(range(properties.DRAWN_SEEDS), DRAWN)
    choice = preferences.model_choice()
    if runtime.is_ready(choice):
        try:
            return of(choice, snapshot.take(settings), candidates, 1)[0]
        except PortraitError:  # a value that no picture can be made of: a part may change even so
            pass
    return candidates[0]
