"""Model files: one safetensors file whose header says what it is. Nothing is ever unpickled.

The header's metadata (JSON text in each value):

* ``format``: "ssgan3d-portrait-model";
* ``version``: an integer; a file of another version is refused;
* ``config``: ``ModelConfig.to_dict()``;
* ``parts``: the part names in order;
* ``licence``: SPDX identifier of the weights' licence;
* ``info``: facts about the training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch
from torch import Tensor

from .components import MOST
from .config import ModelConfig
from .errors import CheckpointError
from .files import write_bytes
from .model import SSGAN3D
from .model_card import FORMAT, VERSION, read_header, unsuitable
from .parts import PART_COUNT, PART_NAMES

BYTES = {"position": (1,), "color_basis": (3, 4), "amounts": (0,)}
"""Weights that are kept in so many steps, by the last part of their names, and the axes along which
steps are of one size. Pictures do not see it (59 dB); form is not among them, for it moves outlines
(47 dB)."""
_RENAMED = {
    "mapping.skins": "mapping.eigenskins.amounts",
    "mapping.eigenskins": "mapping.eigenskins.planes",
    "mapping.eigenskin_steps": "mapping.eigenskins.steps",
}
"""Names in files of before, and today's."""
_DROPPED = ("mapping.prints",)
"""Names in files of before that say what no model draws any more."""
_STEP = ".step"
_LEAST_HALF = 2.0**-24
"""The smallest float16 above zero."""


def save_checkpoint(
    path: Path,
    model: SSGAN3D,
    info: dict[str, Any],
    *,
    compact: bool = False,
    licence: str = "CC0-1.0",
) -> None:
    """Write ``model`` to ``path``, at once or not at all.

    Args:
        info: facts about the training that can be written as JSON. The "licence" of facts that were
            loaded is left out: ``licence`` says it.
        compact: store weights as float16, and those of ``BYTES`` as whole numbers of a byte, in
            steps: a third of the size.

    Raises:
        CheckpointError: a weight is not finite (or too large for float16), or ``info`` is not JSON.
        OSError: the file cannot be written.
    """
    kept = torch.float16 if compact else torch.float32
    given = model.state_dict()
    if compact:
        given = _in_steps(given)
    tensors = {
        name: tensor.cpu().to(kept if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in given.items()
    }
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                "The weights {0} hold values that are not finite as {1}: train on from an "
                "earlier checkpoint.",
                name,
                kept,
            )
    facts = {key: value for key, value in info.items() if key != "licence"}
    try:
        header = {
            "format": FORMAT,
            "version": json.dumps(VERSION),
            "config": json.dumps(model.config.to_dict(), allow_nan=False),
            "parts": json.dumps(PART_NAMES),
            "licence": licence,
            "info": json.dumps(facts, allow_nan=False),
        }
    except (TypeError, ValueError) as error:
        raise CheckpointError("The facts about the model are not JSON: {0}.", error) from error
    write_bytes(Path(path), safetensors_torch.save(tensors, header))


def load_checkpoint(path: Path) -> tuple[SSGAN3D, dict[str, Any]]:
    """Read a model, in float32 and in evaluation mode on the CPU.

    Returns:
        The model, and the facts that :func:`save_checkpoint` was given with "licence" added.

    Raises:
        CheckpointError: one sentence on what is wrong with which file, and what to do.
    """
    path = Path(path)
    metadata, count = read_header(path)
    try:
        version = json.loads(metadata["version"])
        if version != VERSION:
            raise CheckpointError(
                "{0} has model format {1}, and this version of the add-on reads format "
                "{2}. Install the add-on that the file was made for, or choose another "
                "file.",
                path,
                version,
                VERSION,
            )
        names = tuple(json.loads(metadata["parts"]))
        config_values, info = json.loads(metadata["config"]), json.loads(metadata["info"])
        info = {**info, "licence": metadata["licence"]}
    except (KeyError, TypeError, json.JSONDecodeError, RecursionError) as error:
        raise unsuitable("The header of {0} is broken ({1!r}).", path, error) from error
    if names != PART_NAMES:
        raise unsuitable("{0} was made for other parts ({1}).", path, ", ".join(map(str, names)))
    if not isinstance(config_values, dict):
        raise unsuitable("The header of {0} is broken (no configuration).", path)
    try:
        config = ModelConfig.from_dict(config_values)
    except CheckpointError as error:
        raise unsuitable("{0}: {1}", path, error) from error
    if not 0 < _least_count(config) <= count:  # before a broken header makes us allocate by it
        raise unsuitable("{0} holds too few weights for its configuration.", path)
    try:
        tensors = safetensors_torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise unsuitable("{0} cannot be read ({1}).", path, error) from error
    tensors = {name: one for name, one in tensors.items() if name not in _DROPPED}
    tensors = _out_of_steps({_RENAMED.get(name, name): one for name, one in tensors.items()})
    with torch.random.fork_rng(devices=[]):  # the initial weights must not move others' streams
        model = SSGAN3D(config)
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise unsuitable("The weights in {0} do not fit its configuration.", path)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise unsuitable("{0} holds weights that are not finite numbers.", path)
    model.load_state_dict(tensors)
    return model.eval().requires_grad_(False), info


def _in_steps(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of ``BYTES`` as whole numbers up to ``MOST`` either way, each with its steps."""
    made = dict(tensors)
    for name, tensor in tensors.items():
        axes = BYTES.get(name.rpartition(".")[2])
        if axes is None or not tensor.numel():
            continue
        # as they are kept, lest reading and writing again move anything; of tiny weights they are
        # rounded far, and down if fewer steps than ``MOST`` would do: these become fewer each time
        most = tensor.abs().amax(axes, keepdim=True)
        steps = (most / MOST).half()
        fewer = most < (MOST - 0.5) * steps.float()
        steps = (steps.view(torch.int16) - fewer.to(torch.int16)).view(torch.half)
        whole = tensor / steps.float().clamp_min(_LEAST_HALF)
        made[name] = whole.round().clamp(-MOST, MOST).to(torch.int8)
        made[name + _STEP] = steps
    return made


def _out_of_steps(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`_in_steps`; what was written otherwise stays as it is."""
    made = dict(tensors)
    for name, steps in tensors.items():
        whole = made.get(name.removesuffix(_STEP))
        if not name.endswith(_STEP) or whole is None or steps.ndim != whole.ndim:
            continue
        if all(step in (1, side) for step, side in zip(steps.shape, whole.shape, strict=True)):
            made[name.removesuffix(_STEP)] = whole.float() * steps.float()
            del made[name]
    return made


def _least_count(config: ModelConfig) -> int:
    """Values that a model of this configuration stores at least: its largest kinds of weights."""
    widths = [config.hidden_of(part) for part in range(PART_COUNT)]
    texels = sum(s.height * s.width * w for s, w in zip(config.maps, widths, strict=True))
    convolutions = config.render_blocks * 18 * config.render_channels[0] ** 2
    layers = config.part_layers * sum(width**2 for width in widths)
    heads = sum(widths) * config.features
    codes = config.base_dim + 2 * PART_COUNT * config.code_dim
    mapping = config.people * codes or config.mapping_width * config.z_dim
    return texels + layers + heads + mapping + convolutions
