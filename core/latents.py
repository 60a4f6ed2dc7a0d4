"""The codes of a portrait: from seeds, mixed part by part, saved and loaded.

Random numbers: the vector z of a seed is the same on every platform and with every NumPy. NumPy
promises that for the raw stream of a bit generator (here PCG64 with ``SeedSequence``), but not for
its normal distribution, so the raw 64 bit integers are turned into normal numbers here.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch
from torch import Tensor

from .config import ModelConfig
from .errors import LatentsError
from .files import write_bytes
from .parts import BRINGS_BASE, PART_COUNT, PART_NAMES
from .recipe import check_seed, known_part

FORMAT = "ssgan3d-portrait"
VERSION = 2
"""Of what is written; version 1 had one w_base for all parts, and is read as well."""
_MAX_BYTES = 4 << 20


def seed_noise(seed: int, count: int) -> np.ndarray:
    """``count`` normal numbers of ``seed``, float32 (count,).

    Raises:
        LatentsError: the seed is not a whole number from 0 to ``MAX_SEED``.
    """
    check_seed(seed)
    pairs = (count + 1) // 2
    raw = np.random.PCG64(int(seed)).random_raw(2 * pairs)
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # in (0, 1)
    radius, angle = np.sqrt(-2 * np.log(uniform[:pairs])), 2 * math.pi * uniform[pairs:]
    normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)  # Box and Muller
    return normal.reshape(-1)[:count].astype(np.float32)


@dataclass(frozen=True, eq=False)
class PortraitLatents:
    """The codes of one portrait. Immutable: every change gives a new portrait.

    Attributes:
        base: w_base of every part, (K, base_dim) float32: the head's, but of parts that bring their
            own (``parts.BRINGS_BASE``).
        shape: w_k^s of every part, (K, code_dim) float32.
        texture: w_k^t of every part, (K, code_dim) float32.
        visible: which parts are there, (K,) bool. Without the background the picture is white
            behind the portrait.

    Raises:
        LatentsError: a tensor has another shape, or holds NaN or infinity.
    """

    base: Tensor
    shape: Tensor
    texture: Tensor
    visible: Tensor

    def __post_init__(self) -> None:
        rows, width = (self.shape.shape[0], self.shape.shape[-1]) if self.shape.ndim else (0, 0)
        expected = {
            "base": (PART_COUNT, self.base.shape[-1] if self.base.ndim else 0),
            "shape": (PART_COUNT, width),
            "texture": (PART_COUNT, width),
            "visible": (PART_COUNT,),
        }
        for name, size in expected.items():
            tensor = getattr(self, name)
            if tuple(tensor.shape) != size or not tensor.numel():
                raise LatentsError(
                    "The {0} codes of a portrait have shape {1}, not {2}.",
                    name,
                    tuple(tensor.shape),
                    size,
                )
            kind = torch.bool if name == "visible" else torch.float32
            tensor = tensor.detach().to("cpu", kind).contiguous()
            if name != "visible" and not tensor.isfinite().all():
                raise LatentsError(
                    "The {0} codes of a portrait hold values that are not numbers.", name
                )
            object.__setattr__(self, name, tensor)

    def check(self, config: ModelConfig) -> None:
        """Raise LatentsError when the codes are not as long as a model's."""
        own = (self.base.shape[1], self.shape.shape[1])
        if own != (config.base_dim, config.code_dim):
            raise LatentsError(
                "The portrait was made with another model: its codes have {0} and {1} "
                "numbers, this model's {2} and {3}. Load that model, or make the portrait "
                "anew.",
                own[0],
                own[1],
                config.base_dim,
                config.code_dim,
            )

    def replace(
        self, part: str, other: PortraitLatents, *, shape: bool = True, texture: bool = True
    ) -> Self:
        """This portrait with ``part`` of another: its shape code, its texture code, or both.

        With the shape comes whether the part is there at all, and w_base of parts that bring it.
        """
        return self.lerp(other, 1.0, parts=[part], shape=shape, texture=texture)

    def lerp(
        self,
        other: PortraitLatents,
        t: float,
        *,
        parts: Iterable[str] | None = None,
        shape: bool = True,
        texture: bool = True,
    ) -> Self:
        """Interpolate towards ``other``; t = 0 is this portrait, t = 1 the other.

        Args:
            parts: which parts to interpolate. None takes all, and the head's w_base with shapes.
            shape, texture: which of the codes. A part is there as it is in the portrait that is
                nearer, if shapes are interpolated.
        """
        if not math.isfinite(t):
            raise LatentsError("Portraits cannot be mixed by {0}.", t)
        rows = list(range(PART_COUNT)) if parts is None else [known_part(name) for name in parts]
        based = rows if parts is None else [row for row in rows if row in BRINGS_BASE]
        codes, visible = {}, self.visible.clone()
        if shape and t > 0.5:
            visible[rows] = other.visible[rows]
        for name, wanted, which in (
            ("base", shape, based),
            ("shape", shape, rows),
            ("texture", texture, rows),
        ):
            if wanted:
                codes[name] = getattr(self, name).clone()
                codes[name][which] = _mix(codes[name][which], getattr(other, name)[which], t)
        return replace(self, visible=visible, **codes)

    def truncate(self, mean: PortraitLatents, psi: float) -> Self:
        """Draw the codes towards the mean portrait: mean + psi (codes - mean)."""
        if not math.isfinite(psi):
            raise LatentsError("The truncation must be a number from 0 to 1; it is {0}.", psi)
        return replace(
            self,
            base=_mix(mean.base, self.base, psi),
            shape=_mix(mean.shape, self.shape, psi),
            texture=_mix(mean.texture, self.texture, psi),
        )

    def with_visible(
        self, shown: Iterable[str] | None = None, *, hidden: Iterable[str] = ()
    ) -> Self:
        """Show only the parts ``shown`` (None: those that show now), less the ``hidden`` ones.

        Parts added one by one are the paper's progressive composition.
        """
        visible = self.visible.clone()
        if shown is not None:
            visible[:] = False
            visible[[known_part(name) for name in shown]] = True
        visible[[known_part(name) for name in hidden]] = False
        return replace(self, visible=visible)

    @property
    def visible_names(self) -> tuple[str, ...]:
        """Names of the parts that are there."""
        return tuple(n for n, there in zip(PART_NAMES, self.visible.tolist(), strict=True) if there)

    def save(self, path: Path) -> None:
        """Write a .json or .safetensors file, at once or not at all; loads back bit for bit.

        Raises:
            LatentsError: the suffix is another one.
            OSError: the file cannot be written.
        """
        path = Path(path)
        names = ("base", "shape", "texture")
        if path.suffix == ".json":
            document = {
                "format": FORMAT,
                "version": VERSION,
                "parts": PART_NAMES,
                "visible": self.visible_names,
                **{name: _encode(getattr(self, name)) for name in names},
            }
            data = (json.dumps(document, indent=1) + "\n").encode()
        elif path.suffix == ".safetensors":
            header = {
                "format": FORMAT,
                "version": json.dumps(VERSION),
                "parts": json.dumps(PART_NAMES),
                "visible": json.dumps(self.visible_names),
            }
            data = safetensors_torch.save({name: getattr(self, name) for name in names}, header)
        else:
            raise LatentsError(
                "A portrait is saved as .json or .safetensors, not as {0}.", path.name
            )
        write_bytes(path, data)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            LatentsError: one sentence on what is wrong with which file.
        """
        path = Path(path)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise LatentsError("{0} is too large to be a portrait. Choose another file.", path)
            data = path.read_bytes()
        except OSError as error:
            raise LatentsError(
                "The portrait {0} cannot be read ({1}).", path, error.strerror or error
            ) from error
        try:
            if path.suffix == ".safetensors":
                header, codes = _read_safetensors(data)
            else:
                header, codes = _read_json(data)
        except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
            raise LatentsError(
                "{0} is not a portrait, or is damaged ({1}).", path, error
            ) from error
        if header["format"] != FORMAT:
            raise LatentsError("{0} is not a portrait. Choose another file.", path)
        if header["version"] not in (1, VERSION):
            raise LatentsError(
                "{0} has portrait format {1}; this version reads {2}.",
                path,
                header["version"],
                VERSION,
            )
        if tuple(header["parts"]) != PART_NAMES:
            raise LatentsError(
                "{0} was made for other parts ({1}).", path, ", ".join(header["parts"])
            )
        if header["version"] == 1:
            codes["base"] = codes["base"].flatten().expand(PART_COUNT, -1)
        visible = torch.tensor([name in header["visible"] for name in PART_NAMES])
        try:
            return cls(visible=visible, **codes)
        except LatentsError as error:
            raise LatentsError("{0} is damaged: {1}", path, error) from error


def _read_json(data: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    document = json.loads(data)
    bases = 1 if document["version"] == 1 else PART_COUNT
    rows = {"base": bases, "shape": PART_COUNT, "texture": PART_COUNT}
    codes = {name: _decode(document[name], (count, -1)) for name, count in rows.items()}
    return _checked(document), codes


def _read_safetensors(data: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    tensors = safetensors_torch.load(data)
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    header = {key: json.loads(metadata[key]) for key in ("version", "parts", "visible")}
    codes = {name: tensors[name] for name in ("base", "shape", "texture")}
    return _checked({**header, "format": metadata["format"]}), codes


def _checked(header: dict[str, Any]) -> dict[str, Any]:
    """The header if each field is there and of its kind."""
    for name in ("parts", "visible"):
        if not all(isinstance(part, str) for part in header[name]):
            raise ValueError(f"{name} is not a list of names")
    return {key: header[key] for key in ("format", "version", "parts", "visible")}


def _encode(codes: Tensor) -> str:
    """Little-endian float32 as base64: exact, and a third of the length of decimals."""
    return base64.b64encode(codes.numpy().astype("<f4").tobytes()).decode("ascii")


def _decode(text: str, shape: tuple[int, ...]) -> Tensor:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"codes are not base64: {error}") from error
    return torch.from_numpy(np.frombuffer(raw, "<f4").astype(np.float32).reshape(shape))


def _mix(first: Tensor, second: Tensor, t: float) -> Tensor:
    """(1 - t) first + t second, exactly ``first`` at 0 and ``second`` at 1."""
    if first.shape != second.shape:
        raise LatentsError(
            "Portraits of different models cannot be mixed: their codes have shapes {0} and {1}.",
            tuple(first.shape),
            tuple(second.shape),
        )
    return torch.lerp(first, second, t)
