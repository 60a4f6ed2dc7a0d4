"""How the trainer's commands rebuild models, and write them: in half precision, saying what made
them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.checkpoint import save_checkpoint
from core.model import SSGAN3D

LICENCE = "CC0-1.0"
"""Of weights that rendered portraits have taught."""
TRAITS: Mapping[str, Sequence[str]] = {
    "prints": ("prints",),
    "spots": ("spots",),
    "eigenskins": ("skins", "eigenskins", "eigenskin_steps"),
}
"""Fields of the configuration, and what a mixture of people keeps for each."""


def rebuilt(model: SSGAN3D, **changes: Any) -> SSGAN3D:
    """The same weights in a changed configuration, frozen; what is new starts as a new model's.

    Args:
        changes: fields of the configuration that leave the weights that there are as they are, or
            have no use for some.
    """
    made = SSGAN3D(dataclasses.replace(model.config, **changes))
    given = model.state_dict()
    made.load_state_dict({name: given.get(name, new) for name, new in made.state_dict().items()})
    return made.eval().requires_grad_(False)


def taken_off(model: SSGAN3D) -> SSGAN3D:
    """The same model without what learning from renders must not see.

    Its people have no traits (:mod:`core.traits`): a print that lies elsewhere than the render's is
    an error that nothing it learns can mend. And beards are as faint as they are taught.
    """
    return rebuilt(model, prints=False, spots=False, eigenskins=0, beard_gain=1.0)


def put_on(model: SSGAN3D, whole: SSGAN3D) -> SSGAN3D:
    """A model with what was taken off of ``whole``, from which it learnt on."""
    given = whole.config
    kept = {field: getattr(given, field) for field in TRAITS}
    made = rebuilt(model, **kept, beard_gain=given.beard_gain)
    for field, names in TRAITS.items():
        for name in names if kept[field] else ():
            getattr(made.mapping, name).copy_(getattr(whole.mapping, name))
    return made


def write_model(path: Path, model: SSGAN3D, info: Mapping[str, Any], **done: object) -> None:
    """Write a model file.

    Args:
        info: what the file says about the model; stays as it is.
        done: what one more command did to it, under its name, spaces for underscores: comes after
            what is told there already.

    Raises:
        CheckpointError, OSError: as ``save_checkpoint`` does.
    """
    facts = dict(info)
    for key, once in done.items():
        name = key.replace("_", " ")
        facts[name] = [*facts.get(name, []), once]
    save_checkpoint(path, model, facts, half=True, licence=LICENCE)
