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
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch

from .config import ModelConfig
from .errors import CheckpointError
from .files import write_bytes
from .model import SSGAN3D
from .parts import PART_COUNT, PART_NAMES

FORMAT = "ssgan3d-portrait-model"
VERSION = 1
SUFFIX = ".safetensors"
MAX_BYTES = 1 << 30
"""Larger files are refused unread: no model of this kind comes near it."""
_MAX_HEADER = 1 << 20
_ADVICE = "Choose another file, or leave the choice empty for the model that comes along"


def save_checkpoint(
    path: Path,
    model: SSGAN3D,
    info: dict[str, Any],
    *,
    half: bool = False,
    licence: str = "CC0-1.0",
) -> None:
    """Write ``model`` to ``path``, at once or not at all.

    Args:
        info: facts about the training that can be written as JSON.
        half: store weights as float16, which halves the file.

    Raises:
        CheckpointError: a weight is not finite (or too large for float16), or ``info`` is not JSON.
        OSError: the file cannot be written.
    """
    kept = torch.float16 if half else torch.float32
    tensors = {
        name: tensor.detach().cpu().to(kept).contiguous()
        for name, tensor in model.state_dict().items()
    }
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"The weights {name} hold values that are not finite as {kept}: train on from an "
                "earlier checkpoint."
            )
    try:
        header = {
            "format": FORMAT,
            "version": json.dumps(VERSION),
            "config": json.dumps(model.config.to_dict(), allow_nan=False),
            "parts": json.dumps(PART_NAMES),
            "licence": licence,
            "info": json.dumps(info, allow_nan=False),
        }
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"The facts about the model are not JSON: {error}.") from error
    write_bytes(Path(path), safetensors_torch.save(tensors, header))


def read_header(path: Path) -> tuple[dict[str, str], int]:
    """Metadata of a model file and the number of values that it stores, without reading them.

    Raises:
        CheckpointError: the file is missing, unreadable, truncated, oversized or not safetensors.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise CheckpointError(f"{path} is not a file. {_ADVICE}.")
        if size > MAX_BYTES:
            raise CheckpointError(
                f"{path} has {size / 2**20:.0f} MiB, which no portrait model has. {_ADVICE}."
            )
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if size >= 8 and length <= _MAX_HEADER else b""
    except FileNotFoundError:
        raise CheckpointError(f"There is no model file {path}. {_ADVICE}.") from None
    except OSError as error:
        raise CheckpointError(
            f"The model file {path} cannot be read ({error.strerror or error})."
        ) from error
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        count = sum(math.prod(entry["shape"]) for entry in header.values())
    except (ValueError, AttributeError, KeyError, TypeError, IndexError, RecursionError):
        if text[:1] == b"{" and len(text) < length:
            raise CheckpointError(_truncated(path, size)) from None
        raise CheckpointError(f"{path} is not a safetensors file. {_ADVICE}.") from None
    if size < 8 + length + end:
        raise CheckpointError(_truncated(path, size))
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is a safetensors file, but no portrait model. {_ADVICE}.")
    return metadata, count


def _truncated(path: Path, size: int) -> str:
    return f"{path} ends too early, after {size} bytes: it was not copied whole. Copy it again."


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
                f"{path} has model format {version}, and this version of the add-on reads format "
                f"{VERSION}. Install the add-on that the file was made for, or choose another file."
            )
        names = tuple(json.loads(metadata["parts"]))
        config_values, info = json.loads(metadata["config"]), json.loads(metadata["info"])
        info = {**info, "licence": metadata["licence"]}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"The header of {path} is broken ({error!r}). {_ADVICE}.") from error
    if names != PART_NAMES:
        raise CheckpointError(
            f"{path} was made for other parts ({', '.join(map(str, names))}). {_ADVICE}."
        )
    if not isinstance(config_values, dict):
        raise CheckpointError(f"The header of {path} is broken (no configuration). {_ADVICE}.")
    try:
        config = ModelConfig.from_dict(config_values)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error} {_ADVICE}.") from error
    if not 0 < _least_count(config) <= count:  # before a broken header makes us allocate by it
        raise CheckpointError(f"{path} holds too few weights for its configuration. {_ADVICE}.")
    try:
        tensors = safetensors_torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). {_ADVICE}.") from error
    with torch.random.fork_rng(devices=[]):  # the initial weights must not move others' streams
        model = SSGAN3D(config)
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise CheckpointError(f"The weights in {path} do not fit its configuration. {_ADVICE}.")
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds weights that are not finite numbers. {_ADVICE}.")
    model.load_state_dict(tensors)
    return model.eval().requires_grad_(False), info


def _least_count(config: ModelConfig) -> int:
    """Values that a model of this configuration stores at least: its largest kinds of weights."""
    texels = sum(spec.height * spec.width for spec in config.maps)
    convolutions = config.render_blocks * 18 * config.render_channels[0] ** 2
    layers = PART_COUNT * config.part_layers * config.hidden**2
    heads = PART_COUNT * config.hidden * config.features
    mapping = config.mapping_width * config.z_dim
    return texels * config.hidden + layers + heads + mapping + convolutions
