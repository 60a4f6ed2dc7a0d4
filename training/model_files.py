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


def rebuilt(model: SSGAN3D, **changes: Any) -> SSGAN3D:
    """The same weights in a changed configuration, frozen; what is new starts as a new model's.

    Args:
        changes: fields of the configuration that leave the weights that there are as they are.
    """
    made = SSGAN3D(dataclasses.replace(model.config, **changes))
    made.load_state_dict(made.state_dict() | model.state_dict())
    return made.eval().requires_grad_(False)


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
