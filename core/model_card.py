"""What a model file says about itself, read without torch and without its weights."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from .errors import CheckpointError

FORMAT = "ssgan3d-portrait-model"
VERSION = 1
SUFFIX = ".safetensors"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"
MAX_BYTES = 1 << 30
"""Larger files are refused unread: no model of this kind comes near it."""
_MAX_HEADER = 1 << 20
_MANY = 64


class ModelCard(NamedTuple):
    """A model file in words.

    Attributes:
        name: what its maker called it; the file's name where they did not.
        image_size: side of its pictures in pixels.
        data: what it was trained on, as far as the file tells; may be empty.
        licence: SPDX identifier of the weights' licence.
        parameters: numbers that it stores.
        size: bytes of the file.
        sha256: hexadecimal digest of the file.
    """

    name: str
    image_size: int
    data: str
    licence: str
    parameters: int
    size: int
    sha256: str


def read_card(path: Path) -> ModelCard:
    """Read what a model file says about itself, and its hash: 5 ms for 8 MB.

    Raises:
        CheckpointError: the file is missing, broken, or no portrait model.
    """
    path = Path(path)
    metadata, count = read_header(path)
    try:
        info, config = json.loads(metadata["info"]), json.loads(metadata["config"])
        facts = [
            f"{info[key]:,} {key}"
            for key in ("portraits", "pictures")
            if type(info.get(key)) is int
        ]
        if info.get("data"):
            facts.insert(0, str(info["data"]))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ModelCard(
            str(info.get("name") or path.stem),
            int(config["image_size"]),
            ", ".join(facts),
            str(metadata["licence"]),
            count,
            path.stat().st_size,
            digest,
        )
    except OSError as error:
        raise CheckpointError(
            "The model file {0} cannot be read ({1}).", path, error.strerror or error
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unsuitable("The header of {0} is broken ({1!r}).", path, error) from error


def read_header(path: Path) -> tuple[dict[str, str], int]:
    """Metadata of a model file and the number of values that it stores, without reading them.

    Raises:
        CheckpointError: the file is missing, unreadable, truncated, oversized or not safetensors.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise unsuitable("{0} is not a file.", path)
        if size > MAX_BYTES:
            raise unsuitable(
                "{0} has {1:.0f} MiB, which no portrait model has.", path, size / 2**20
            )
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if size >= 8 and length <= _MAX_HEADER else b""
    except FileNotFoundError:
        raise unsuitable("There is no model file {0}.", path) from None
    except OSError as error:
        raise CheckpointError(
            "The model file {0} cannot be read ({1}).", path, error.strerror or error
        ) from error
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        count = sum(math.prod(entry["shape"]) for entry in header.values())
    except (ValueError, AttributeError, KeyError, TypeError, IndexError, RecursionError):
        if text[:1] == b"{" and len(text) < length:
            raise _truncated(path, size) from None
        raise unsuitable("{0} is not a safetensors file.", path) from None
    if size < 8 + length + end:
        raise _truncated(path, size)
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise unsuitable("{0} is a safetensors file, but no portrait model.", path)
    return metadata, count


def shortened(value: Any) -> Any:
    """JSON values of a header; long lists, such as a number a person, are told by their length."""
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return f"{len(value)} values" if len(value) > _MANY else [shortened(one) for one in value]
    return value


def _truncated(path: Path, size: int) -> CheckpointError:
    return CheckpointError(
        "{0} ends too early, after {1} bytes: it was not copied whole. Copy it again.", path, size
    )


def unsuitable(text: str, *values: object) -> CheckpointError:
    """The error of a file that is no model for portraits: what is wrong with it, what to do."""
    return CheckpointError(
        "{0} {1}",
        CheckpointError(text, *values),
        CheckpointError(
            "Choose another file, or leave the choice empty for the model that comes along."
        ),
    )


def embedded_weights() -> Path:
    """The model file that comes with the code.

    Raises:
        CheckpointError: there is none.
    """
    found = sorted(WEIGHTS_FOLDER.glob(f"*{SUFFIX}"))
    if not found:
        raise CheckpointError(
            "There is no embedded model in {0}: install the add-on's zip anew, or "
            "train and export one (python -m training export).",
            WEIGHTS_FOLDER,
        )
    return found[0]
