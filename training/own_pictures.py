"""Pictures that a model draws of people whom renders show, as users get them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from core.engine import PortraitEngine
from core.latents import PortraitLatents
from core.parts import PART_COUNT
from core.people_mixture import PeopleMixture
from training.data import PortraitSet, as_stored


def own_pictures(
    engine: PortraitEngine,
    mapping: PeopleMixture,
    data: PortraitSet,
    rows: Tensor,
    chosen: Sequence[int],
) -> Iterator[Tensor]:
    """Pictures from the cameras of some views, stored as renders are, (1, 3, S, S) each.

    Args:
        engine: of the model.
        mapping: the model's people.
        data: renders of S pixels a side.
        rows: (P,) row of each portrait of ``data`` among the people.
        chosen: views.
    """
    presence = data.presence([group[0] for group in data.identities])
    for view in chosen:
        portrait = int(data.portrait_of[view])
        row = int(rows[portrait])
        base = mapping.base[row].expand(PART_COUNT, -1).clone()
        codes = mapping.shape[row].clone(), mapping.texture[row].clone()
        latents = PortraitLatents(base, *codes, presence[portrait])
        drawn = engine.render(latents, data.views[view].camera, size=(data.size, data.size))
        yield as_stored(drawn.image)
