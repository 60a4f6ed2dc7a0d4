"""How the trainer's commands rebuild models, and write them: in half precision, saying what made
them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.checkpoint import save_checkpoint
from core.model import SSGAN3D

LICENCE = "CC0-1.0"
"""Of weights that rendered portraits have taught."""
TRAITS = ("garments", "spots", "complexions", "eigenskins", "eigenclothes", "eigenpaints")
"""What a mixture of people keeps of each: names of its buffers or modules, and fields of the
configuration."""
TRAIT_FIELDS = (*TRAITS, "eigenpaint_texels")
"""All fields of the configuration that say what is kept."""
NO_EIGENPAINTS: Mapping[str, Any] = {"eigenpaints": 0, "eigenpaint_texels": ()}
"""Fields of the configuration of a model without them."""


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
    an error that nothing it learns can mend. And beards are as faint as they are taught, and hair
    ends as softly.
    """
    none = {field: type(getattr(model.config, field))() for field in TRAIT_FIELDS}
    return rebuilt(model, beard_gain=1.0, hair_matte=(), **none)


def is_trait(name: str) -> bool:
    """Whether a tensor of a mixture of people is one of ``TRAITS``, by its name in the mapping."""
    return name.partition(".")[0] in TRAITS


def put_on(model: SSGAN3D, whole: SSGAN3D) -> SSGAN3D:
    """A model with what was taken off of ``whole``, from which it learnt on."""
    given = whole.config
    kept = {field: getattr(given, field) for field in TRAIT_FIELDS}
    own = {"beard_gain": given.beard_gain, "hair_matte": given.hair_matte}
    made = rebuilt(model, **kept, **own)
    mine, theirs = made.mapping.state_dict(), whole.mapping.state_dict()
    for name in filter(is_trait, mine):
        mine[name].copy_(theirs[name])
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
    save_checkpoint(path, model, facts, compact=True, licence=LICENCE)
