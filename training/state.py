"""Training state on disk: safetensors with a JSON header, written so that a kill loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import CheckpointError
from core.files import replacing


def write_state(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and plain facts to a temporary file beside ``path``, then rename it."""
    contiguous = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    with replacing(path) as temporary:
        save_file(contiguous, str(temporary), {"facts": json.dumps(facts)})


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Inverse of :func:`write_state`.

    Raises:
        CheckpointError: the file is missing or broken.
    """
    with _opened(path) as (file, facts):
        return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118


def read_facts(path: Path) -> dict[str, Any]:
    """The facts alone, which stand in the file's header.

    Raises:
        CheckpointError: the file is missing or broken.
    """
    with _opened(path) as (_, facts):
        return facts


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        with safe_open(str(path), "pt") as file:
            yield file, json.loads((file.metadata() or {})["facts"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is not a training state of ours: {error}.") from error


def optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as named tensors."""
    tensors = {}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"{prefix}.{index}.{name}"] = torch.as_tensor(value)
    return tensors


def restore_optimizer(
    prefix: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Inverse of :func:`optimizer_tensors`; state whose shape no longer fits is left out."""
    wanted = f"{prefix}."
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(wanted):
            index, name = key[len(wanted) :].split(".")
            state.setdefault(int(index), {})[name] = value
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    fitting = {
        index: entry
        for index, entry in state.items()
        if index < len(parameters) and _fits(entry, parameters[index])
    }
    optimizer.load_state_dict(
        {"state": fitting, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def _fits(entry: dict[str, Tensor], parameter: Tensor) -> bool:
    return all(value.ndim == 0 or value.shape == parameter.shape for value in entry.values())


def prefixed(prefix: str, items: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """``items`` with ``prefix.`` before every name."""
    return {f"{prefix}.{name}": value for name, value in items}


def unprefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Entries that start with ``prefix.``, without it."""
    start = f"{prefix}."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
