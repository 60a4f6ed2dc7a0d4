"""From a random vector to a portrait whose codes are mixed from those of training portraits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .complexion import TAKERS, change_of_hue, head_color, mean_color
from .components import EigenMaps
from .config import ModelConfig
from .eigenclothes import SIZE as EIGENCLOTH_SIZE
from .eigenpaint import EigenPaint
from .eigenskin import SIZE as EIGENSKIN_SIZE
from .garment import WORN
from .generators import PartMap
from .grain import SKIN
from .indices import index_tensor
from .likeness import face_codes, likeness
from .mapping import ALWAYS
from .parts import (
    BRINGS_BASE,
    FACE_BASE,
    FACE_PARTS,
    PAINTED,
    PART_COUNT,
    PART_NAMES,
    PARTS,
    part_index,
)
from .prints import CLOTHES
from .spots import KINDS as SPOT_KINDS
from .spots import SPOTS
from .traits import traits_of

SHARPNESS = 100.0
"""Softmax inverse temperature of the mix: of 1,100 people, one is nine tenths of a face in 92 seeds
of a hundred. What lies between two people is blurred, for their eyes and hairlines lie in different
places."""
FITTING = 2.0
"""How much likeness to the face counts beside chance, in standard deviations of both: hair that
grows on such a head, goes with its skin and stands in its light."""
ENOUGH = 2.0
"""Standard deviations of likeness beyond which nobody fits better: one in fifty people, not only
those whom the face is from."""
HAIR, HAT = part_index("hair"), part_index("hat")
_HIDDEN = -1e4
"""Added to the choice of people who lack a part."""
_UNLIKE = -1e3
"""Added for hair of people who differ in whether they wear a hat."""


class PeopleMixture(nn.Module):
    """z → (w_base, w^s, w^t, presence), in place of the paper's mapping network.

    A Gaussian of the codes, however well fitted, draws what lies between two hair styles as often
    as either. Here each part's codes are a convex mix of few people's, who are chosen by the inner
    products of z with their keys: continuous in z, and no further from portraits than those are
    from each other. The face is one blend, mostly one person's; hair, clothes and the rest take
    other people, so that the portrait as a whole is nobody's: by chance (z is read from another
    place for each), but among those whose heads and skins are like the face. Hair beneath a hat is
    of whom the hat is from.

    Attributes:
        keys: (S, z_dim), unit vectors, one for each of the S = ``config.people`` people.
        base, shape, texture: their codes, (S, base_dim), (S, K, code_dim) twice.
        presence: (S, K), 1 where they have a part to lend. Rows of zeros are empty; who lends no
            skin is nobody's face.
        garments: what they wear, (S, ``garment.WORN``), zeros for nothing; of a model with them.
        spots: of their skin, (S, ``spots.SPOTS``); of a model with spots.
        complexions: mean colours of their noses, ears and necks (:mod:`.complexion`), (S, P, 3).
        eigenskins: what their skins have more, of a model with ``config.eigenskins`` components.
        eigenclothes: the same of their clothes.
        eigenpaints: the same of each part in ``parts.PAINTED``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        count = config.people
        # sizes by hand: nothing here is a parameter, all is set from codes that training found
        for name, shape in {
            "keys": (count, config.z_dim),
            "base": (count, config.base_dim),
            "shape": (count, PART_COUNT, config.code_dim),
            "texture": (count, PART_COUNT, config.code_dim),
            "presence": (count, PART_COUNT),
        }.items():
            self.register_buffer(name, torch.zeros(shape))
        if config.garments:
            self.register_buffer("garments", torch.zeros(count, WORN))
        if config.spots:
            self.register_buffer("spots", torch.zeros(count, SPOTS))
        if config.complexions:
            self.register_buffer("complexions", torch.zeros(count, len(TAKERS), 3))
        if config.eigenskins:
            self.eigenskins = EigenMaps(count, config.eigenskins, (3, *EIGENSKIN_SIZE))
        if config.eigenclothes:
            self.eigenclothes = EigenMaps(count, config.eigenclothes, (3, *EIGENCLOTH_SIZE))
        if config.eigenpaints:
            self.eigenpaints = nn.ModuleList(
                EigenPaint(count, config.eigenpaints, texels, config.maps[part])
                for part, texels in zip(PAINTED, config.eigenpaint_texels, strict=True)
            )
        face = torch.tensor([[name in FACE_PARTS] for name in PART_NAMES])  # (K, 1)
        always = torch.tensor([not part.optional for part in PARTS])  # (K,)
        self.register_buffer("_in_face", face, persistent=False)
        self.register_buffer("_always", always, persistent=False)
        self._in_face: Tensor
        self._always: Tensor
        self.keys: Tensor
        self.base: Tensor
        self.shape: Tensor
        self.texture: Tensor
        self.presence: Tensor
        self.garments: Tensor
        self.spots: Tensor
        self.complexions: Tensor

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map z (B, z_dim), drawn from N(0, 1).

        Returns:
            w_base of each part (B, K, base_dim), w^s and w^t (B, K, code_dim), and a presence score
            (B, K) that is positive where the portrait has the part.
        """
        blend, weights, score = self.choose(z)
        shape, texture = mixed_codes(weights, self.shape, self.texture)
        return self.mixed_bases(blend, weights), shape, texture, score

    def choose(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Who is mixed for z (B, z_dim).

        Returns:
            How much of the head's w_base each person is, (B, S), and of each part, (B, K, S), which
            sum to 1; and the presence score.
        """
        everyone = self._everyone().expand(PART_COUNT, -1)  # (K, S)
        owners = everyone.masked_fill(~self.presence.bool().T, _HIDDEN)
        face = self._face_choice(z)  # (B, S)
        blend = face.softmax(-1)
        chance = self._part_noise(z) @ self.keys.T  # (B, K, S)
        others = SHARPNESS * (chance + FITTING * self._likeness(blend)[:, None])
        choice = torch.where(self._in_face, face[:, None], others)
        hatted = (
            (choice[:, HAT] + everyone[HAT]).softmax(-1) @ self.presence[:, HAT]
        ) > 0.5  # (B,)
        # hair beneath a hat is of whom the hat is from: it comes out where that hat ends
        hair = torch.where(hatted[:, None], choice[:, HAT], choice[:, HAIR])
        unlike = hatted[:, None] != self.presence[:, HAT].bool()  # (B, S)
        choice[:, HAIR] = hair + _UNLIKE * unlike
        weights = (choice + owners).softmax(-1)
        share = torch.einsum("bks,sk->bk", (choice + everyone).softmax(-1), self.presence)
        return blend, weights, share - 0.5 + ALWAYS * self._always

    def lent(self, z: Tensor, part: int) -> Tensor:
        """How much of a part's codes each person lends, (B, S), for z (B, z_dim).

        As of :meth:`choose`, but sooner known of the parts of a face.
        """
        if PART_NAMES[part] not in FACE_PARTS:
            return self.choose(z)[1][:, part]
        lacking = self.presence[:, part] == 0
        return (self._face_choice(z) + _HIDDEN * lacking).softmax(-1)

    def mixed_bases(self, blend: Tensor, weights: Tensor) -> Tensor:
        """w_base of each part, (B, K, base_dim): the head's, but of parts that bring their own.

        Args:
            blend, weights: as :meth:`choose` gives them.
        """
        base = (blend @ self.base)[:, None].repeat(1, PART_COUNT, 1)
        brings = index_tensor(BRINGS_BASE, base.device)
        base[:, brings] = weights[:, brings] @ self.base
        return base

    def describe(
        self, part: int, one: PartMap, base: Tensor, shape: Tensor, texture: Tensor
    ) -> None:
        """Give the maps of a part what is known of such people.

        Args:
            base, shape, texture: its codes, (B, Zb), (B, Z) and (B, Z).
        """
        one.traits = self.traits(part, texture)
        one.tint = self.tint(part, shape, texture)
        one.hue = self.hue(part, one, base)
        paint = self.own_paint(part, shape, texture)
        if paint is not None and one.paint is not None:
            one.paint = one.paint + paint

    def traits(self, part: int, texture: Tensor) -> Tensor | None:
        """The garment of clothes, or the spots of skin, with texture codes (B, Z): (B, N).

        None of other parts, and of a model without them. See :func:`.traits.traits_of`.
        """
        if part == CLOTHES and self.config.garments:
            kept, amounts = self.garments, 1
        elif part == SKIN and self.config.spots:
            kept, amounts = self.spots, len(SPOT_KINDS)
        else:
            return None
        return self._kept(part, texture, self.texture[:, part], kept, amounts)

    def tint(self, part: int, shape: Tensor, texture: Tensor) -> Tensor | None:
        """What multiplies the colours of skin or clothes with codes (B, Z) twice, (B, 3, h, w).

        None of other parts, and of a model without. See :mod:`.eigenskin`, :mod:`.eigenclothes`.
        """
        if part == SKIN and self.config.eigenskins:
            return self._of(self.eigenskins, part, texture, self.texture[:, part])
        if part == CLOTHES and self.config.eigenclothes:
            own = torch.cat([shape, texture], -1)
            return self._of(self.eigenclothes, part, own, self._codes(part))
        return None

    def own_paint(self, part: int, shape: Tensor, texture: Tensor) -> Tensor | None:
        """What is added to the paint of a part with codes (B, Z) twice, (B, h, w, 3).

        None of parts without paint, and of a model without eigenpaints.
        """
        if part not in PAINTED or not self.config.eigenpaints:
            return None
        paint = self.eigenpaints[PAINTED.index(part)]
        assert isinstance(paint, EigenPaint)
        return self._of(paint, part, torch.cat([shape, texture], -1), self._codes(part))

    def hue(self, part: int, one: PartMap, base: Tensor) -> Tensor | None:
        """What multiplies the colours of a part on heads with w_base (B, Zb), (B, 3).

        None of parts that keep their colours, and of a model without complexions.
        """
        if part not in TAKERS or not self.config.complexions:
            return None
        colors, known = self.complexions[:, TAKERS.index(part)], self.presence[:, part] > 0
        wanted = head_color(base, self.base, colors, known)
        return change_of_hue(mean_color(one, self.config), wanted)

    def _codes(self, part: int) -> Tensor:
        """Shape and texture of the people's parts, (S, 2 Z).

        The lids that somebody's iris lies between are their shape, as is the edge of a collar: who
        has the one without the other has the mean alone.
        """
        return torch.cat([self.shape[:, part], self.texture[:, part]], -1)

    def _of(self, maps: EigenMaps, part: int, own: Tensor, codes: Tensor) -> Tensor:
        """What parts with codes ``own`` have more; arguments as for :meth:`_kept`."""
        found: Tensor = maps(self._kept(part, own, codes, maps.amounts, maps.amounts.shape[1]))
        return found

    def _kept(self, part: int, own: Tensor, codes: Tensor, kept: Tensor, amounts: int) -> Tensor:
        """What of the people's (S, N) parts with some codes have, (B, N).

        Args:
            own: (B, Z).
            codes: those of the people, (S, Z).
        """
        known = self.presence[:, part] > 0
        return traits_of(own, codes, kept, known, amounts)

    def face_blend(self, z: Tensor) -> Tensor:
        """How much of the face each person is, (B, S), which sums to 1, for z (B, z_dim)."""
        return self._face_choice(z).softmax(-1)

    def _face_choice(self, z: Tensor) -> Tensor:
        """Logits of :meth:`face_blend`, (B, S)."""
        faceless = ~self.presence[:, FACE_BASE].bool()
        return (SHARPNESS * z @ self.keys.T).masked_fill(faceless, _HIDDEN)

    def _everyone(self) -> Tensor:
        """Added to the choice among all people, (S,): rows of zeros are nobody."""
        empty = ~self.presence.bool().any(1)
        return torch.zeros_like(self.presence[:, 0]).masked_fill_(empty, _HIDDEN)

    def _part_noise(self, z: Tensor) -> Tensor:
        """What each part reads of z: its own N(0, 1) vector, (B, K, z_dim)."""
        step = z.shape[1] / (PART_COUNT + 1)
        return torch.stack([z.roll(int((part + 1) * step), 1) for part in range(PART_COUNT)], 1)

    def _likeness(self, blend: Tensor) -> Tensor:
        """How much people are like the faces that ``blend`` (B, S) mixes, at most ``ENOUGH``."""
        known = self.presence.any(1)  # (S,)
        people = face_codes(self.base, self.shape, self.texture)
        alike = torch.zeros_like(blend)
        alike[:, known] = likeness(
            tuple(blend @ codes for codes in people), tuple(codes[known] for codes in people)
        )
        return alike.clamp_max(ENOUGH)


def mixed_codes(weights: Tensor, shape: Tensor, texture: Tensor) -> tuple[Tensor, Tensor]:
    """Codes of parts, (S, K, code_dim), mixed by ``weights`` (B, K, S): (B, K, code_dim)."""
    mix = "bks,skc->bkc"
    return torch.einsum(mix, weights, shape), torch.einsum(mix, weights, texture)
