"""The recipe of a portrait: seeds and weights, which a user interface edits and a file keeps.

No PyTorch here: what only reads or writes recipes starts at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from .config import DEFAULT_TRUNCATION
from .errors import LatentsError
from .parts import part_index

if TYPE_CHECKING:
    from .engine import PortraitEngine
    from .latents import PortraitLatents


MAX_SEED = 2**63 - 1


@dataclass
class PartRecipe:
    """What one part of a portrait is made from. None means the portrait's own.

    Attributes:
        visible: whether the part is there; None as the portrait's seed says.
        shape_seed, texture_seed: seeds of the codes.
        mix_seed: a second seed to mix the codes with.
        shape_mix, texture_mix: how much of the second seed, 0 to 1.
    """

    visible: bool | None = None
    shape_seed: int | None = None
    texture_seed: int | None = None
    mix_seed: int | None = None
    shape_mix: float = 0.0
    texture_mix: float = 0.0


@dataclass
class PortraitRecipe:
    """A portrait as seeds: what a user interface edits and a file keeps.

    Attributes:
        seed: of the whole portrait.
        truncation: 0 (the mean portrait) to 1 (as the model draws them).
        parts: what differs, by part name.
    """

    seed: int
    truncation: float = DEFAULT_TRUNCATION
    parts: dict[str, PartRecipe] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_dict`.

        Raises:
            LatentsError: a value is missing, unknown or of the wrong kind.
        """
        try:
            parts = {name: PartRecipe(**part) for name, part in values.get("parts", {}).items()}
            unknown = set(values) - {"seed", "truncation", "parts"}
            if unknown:
                raise TypeError(f"unknown fields {', '.join(sorted(unknown))}")
            recipe = cls(values["seed"], values.get("truncation", DEFAULT_TRUNCATION), parts)
        except (AttributeError, KeyError, TypeError) as error:
            raise LatentsError("The recipe of a portrait is broken: {0}.", error) from error
        recipe.check()
        return recipe

    def check(self) -> None:
        """Raise LatentsError when a value is of the wrong kind or out of its range."""
        check_seed(self.seed)
        check_truncation(self.truncation)
        for name, part in self.parts.items():
            known_part(name)
            for seed in (part.shape_seed, part.texture_seed, part.mix_seed):
                if seed is not None:
                    check_seed(seed)
            _check_unit(f"shape mix of {name}", part.shape_mix)
            _check_unit(f"texture mix of {name}", part.texture_mix)
            if part.visible not in (None, True, False):
                raise LatentsError("Visible of {0} must be yes, no or unset.", name)

    def resolve(self, engine: PortraitEngine) -> PortraitLatents:
        """The codes that the seeds stand for.

        Raises:
            LatentsError: a value is of the wrong kind or out of its range.
        """
        self.check()
        own = engine.sample(self.seed, self.truncation)
        visible = own.visible.clone()
        for name, part in self.parts.items():
            for seed, amounts in (
                (part.shape_seed, (1.0, 0.0)),
                (part.texture_seed, (0.0, 1.0)),
                (part.mix_seed, (part.shape_mix, part.texture_mix)),
            ):
                if seed is None:
                    continue
                other = engine.sample(seed, self.truncation)
                own = own.lerp(other, amounts[0], parts=[name], texture=False)
                own = own.lerp(other, amounts[1], parts=[name], shape=False)
            if part.visible is not None:
                visible[known_part(name)] = part.visible
        return replace(own, visible=visible)


def known_part(name: str) -> int:
    """Index of a part; raises LatentsError if there is none of that name."""
    try:
        return part_index(name)
    except ValueError as error:
        raise LatentsError(str(error)) from None


def check_seed(seed: object) -> None:
    """Raise LatentsError for what is no whole number from 0 to ``MAX_SEED``."""
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise LatentsError("A seed must be a whole number, not {0!r}.", seed)
    if not 0 <= int(seed) <= MAX_SEED:
        raise LatentsError("A seed must lie between 0 and {0}; it is {1}.", MAX_SEED, seed)


def check_truncation(value: float) -> None:
    """Raise LatentsError for what is no truncation."""
    _check_unit("truncation", value)


def _check_unit(what: str, value: float) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= 1:  # NaN fails the comparison
        raise LatentsError("The {0} must be a number from 0 to 1; it is {1!r}.", what, value)
