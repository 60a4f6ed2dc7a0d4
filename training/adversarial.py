"""The paper's adversarial training, on images and masks together."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config import ModelConfig
from core.model import SSGAN3D, GeneratorOutput
from core.parts import BACKGROUND, PART_COUNT
from core.volume import RayBatch, sample_rays
from training import losses
from training.augment import AdaptiveAugmentation
from training.discriminator import Discriminator
from training.precision import mixed
from training.warm_start import Batch, FittedCodes, Views, render_codes

R1_IMAGE, R1_MASK = 10.0, 100.0
"""R1 weights of picture and mask."""
R1_EVERY = 4
MASK_TIE = 10.0
"""Weight of the regulariser that ties the final mask to the geometry's."""
RANDOM_SAMPLES = 20
"""Samples a ray for random portraits, where no rendered depth guides them."""
EMPTY = 0.02
"""Rays with less background are the portrait's own."""
BORDER = 2
"""Rays beside the background whose pictures need not move with the head."""
MIXING = 0.5
"""Share of portraits whose parts come from two random vectors."""


@dataclass
class Pairs:
    """Pictures (N, 3, S, S) in [-1, 1] and masks (N, K, S / 2, S / 2) that sum to 1."""

    image: Tensor
    mask: Tensor

    @classmethod
    def of(cls, output: GeneratorOutput) -> Pairs:
        """What the generator shows to the discriminator."""
        mask = F.softmax(output.mask_logits.flatten(0, 1).float(), 1)
        return cls(output.image.flatten(0, 1).float(), mask)

    def detach(self) -> Pairs:
        """The same, cut from the graph."""
        return Pairs(self.image.detach(), self.mask.detach())

    def join(self, other: Pairs) -> Pairs:
        """Both, one after the other."""
        return Pairs(torch.cat([self.image, other.image]), torch.cat([self.mask, other.mask]))


def random_codes(model: SSGAN3D, count: int, generator: torch.Generator) -> FittedCodes:
    """Codes of random portraits, with part-wise style mixing.

    With probability ``MIXING`` a portrait takes each part's shape and texture code from the second
    of two random vectors with a probability of one half, so that parts cannot rely on each other.
    """
    device = next(model.parameters()).device
    z = torch.randn(2 * count, model.config.z_dim, generator=generator).to(device)
    *codes, presence = model.mapping(z)
    halves = zip(*(values.chunk(2) for values in (*codes, presence > 0)), strict=True)
    first, second = (FittedCodes(*half) for half in halves)
    mixes = torch.rand(count, 1, generator=generator) < MIXING
    swap = mixes & (torch.rand(count, PART_COUNT, generator=generator) < 0.5)
    return first.with_parts_of(second, swap.to(device))


def data_rays(
    views: Views, count: int, generator: torch.Generator, shift: tuple[int, int] | None = None
) -> RayBatch:
    """Rays of ``count`` poses drawn from the data's, one view each.

    Args:
        shift: pixels (right, down) by which the picture of a second view of each is moved.
    """
    rows = torch.randint(len(views.data), (count,), generator=generator)
    config, side = views.config, views.config.ray_size
    origins, directions, centre = (
        tensor[rows.to(tensor.device), None]
        for tensor in (views.origins, views.directions, views.centre)
    )
    jitter = torch.rand(count, 1, side * side, 1, generator=generator) - 0.5
    if shift is not None:
        directions = torch.cat([directions, shifted(directions, shift, config)], 1)
        origins, jitter = origins.expand_as(directions), jitter.repeat(1, 2, 1, 1)
        centre = centre.repeat(1, 2)
    jitter = jitter.to(views.device)
    return sample_rays(origins, directions, centre, config, samples=RANDOM_SAMPLES, jitter=jitter)


def shifted(directions: Tensor, shift: tuple[int, int], config: ModelConfig) -> Tensor:
    """Ray directions (B, V, R, 3) of the same cameras with their pictures moved by some pixels.

    Planar unit directions are linear in the place on the picture.

    Args:
        shift: pixels to the right and downwards.
    """
    grid = directions.unflatten(2, (config.ray_size, config.ray_size))
    right = grid[:, :, :1, 1:2] - grid[:, :, :1, :1]  # from a ray to the next
    down = grid[:, :, 1:2, :1] - grid[:, :, :1, :1]
    cells = [pixels * config.ray_size / config.image_size for pixels in shift]
    return (grid - right * cells[0] - down * cells[1]).flatten(2, 3)


def random_portraits(
    model: SSGAN3D,
    views: Views,
    count: int,
    generator: torch.Generator,
    shift: tuple[int, int] | None = None,
) -> GeneratorOutput:
    """Random portraits, each from one of the data's poses.

    Args:
        shift: of a second view, as in :func:`data_rays`.
    """
    rays = data_rays(views, count, generator, shift)
    return render_codes(model, random_codes(model, count, generator), rays)


def view_of(output: GeneratorOutput, number: int) -> GeneratorOutput:
    """One view of each portrait."""
    parts = {f.name: getattr(output, f.name)[:, number : number + 1] for f in fields(output)}
    return GeneratorOutput(**parts)


def shift_error(output: GeneratorOutput, shift: tuple[int, int]) -> Tensor:
    """Mean absolute difference of a picture and one moved by some pixels, moved back; a scalar.

    A picture of a head must move as a whole when the camera's frame does. What the render net draws
    in the grid of its rays (nets of hair) stands still instead, whatever a discriminator thinks of
    it (translation equivariance: Karras et al. 2021). The background, which is fixed to the
    picture, and what lies beside it do not count.

    Args:
        output: two views of each portrait, the second moved by ``shift``.
        shift: pixels to the right and downwards, at least 0.
    """
    right, down = shift
    image = output.image.float()
    height, width = image.shape[-2:]
    first = image[:, 0, :, : height - down, : width - right]
    second = image[:, 1, :, down:, right:]
    solid = (output.coarse_mask[:, 0, BACKGROUND, None] < EMPTY).float()  # (B, 1, r, r)
    inner = -F.max_pool2d(-solid, 2 * BORDER + 1, 1, BORDER)
    weight = F.interpolate(inner, size=(height, width))[..., : height - down, : width - right]
    error = (first - second).abs().mean(1, keepdim=True)
    return (error * weight).sum() / weight.sum().clamp_min(1)


def mask_tie(output: GeneratorOutput) -> Tensor:
    """Mean squared difference of the final mask, averaged down, and the geometry's mask."""
    final = F.softmax(output.mask_logits.flatten(0, 1).float(), 1)
    coarse = output.coarse_mask.flatten(0, 1)
    final = F.avg_pool2d(final, final.shape[-1] // coarse.shape[-1])
    return (final - coarse).square().sum(1).mean()


def feature_matching(mine: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """L1 between the discriminator's activations of reconstructions and of their targets.

    A perceptual distance that needs no network trained elsewhere; activations are put on one scale.

    Args:
        mine, wanted: activations as from :meth:`~.discriminator.Discriminator.features`.
    """
    terms = []
    for got, target in zip(mine, wanted, strict=True):
        scale = target.float().abs().mean().clamp_min(1e-3)
        terms.append((got.float() - target.float()).abs().mean() / scale)
    return torch.stack(terms).mean()


def real_pairs(batch: Batch) -> Pairs:
    """The data's side of a batch."""
    return Pairs(batch.image, batch.mask)


def verdict(
    discriminator: Discriminator,
    fakes: list[Pairs],
    real: Pairs,
    smooth: Pairs | None = None,
    small_places: float = 1.0,
) -> dict[str, Tensor]:
    """What the discriminator says to the generator: "G", and "matching" of what has a target.

    Args:
        discriminator: is not trained by it.
        fakes: random portraits; or reconstructions of ``real``, and random portraits after them.
        smooth: what of the reconstructions is matched, if not they: where fine detail lies on the
            surface is chance, and the features that err least are those of a smooth picture.
        small_places: as in :func:`.losses.place_weights`.
    """
    discriminator.requires_grad_(False)
    terms: dict[str, Tensor] = {}
    with mixed(real.image.device.type):
        features = [discriminator.features(fake.image, fake.mask) for fake in fakes]
        scores = [discriminator.score_of(seen) for seen in features]
        if len(fakes) > 1:
            with torch.no_grad():
                wanted = discriminator.features(real.image, real.mask)
            mine = discriminator.features(smooth.image, smooth.mask) if smooth else features[0]
            terms["matching"] = feature_matching(mine, wanted)
    discriminator.requires_grad_(True)
    verdicts = [
        losses.generator_loss(score.float(), _place_weights(fake.mask, score, small_places))
        for fake, score in zip(fakes, scores, strict=True)
    ]
    terms["G"] = torch.stack(verdicts).mean()
    return terms


def _place_weights(mask: Tensor, scores: Tensor, small_places: float) -> Tensor:
    return losses.place_weights(mask.detach(), (scores.shape[-2], scores.shape[-1]), small_places)


def discriminator_step(
    discriminator: Discriminator,
    optimizer: torch.optim.Optimizer,
    augmentation: AdaptiveAugmentation,
    real: Pairs,
    fake: Pairs,
    step: int,
    generator: torch.Generator,
    small_places: float = 1.0,
) -> dict[str, float]:
    """One step of the discriminator; every ``R1_EVERY`` steps with R1 on both inputs.

    Args:
        small_places: as in :func:`.losses.place_weights`.
    """
    device = real.image.device.type
    changed_real = augmentation(real.image, real.mask, generator)
    changed_fake = augmentation(fake.image, fake.mask, generator)
    with mixed(device):
        real_scores = discriminator(*changed_real)
        fake_scores = discriminator(*changed_fake)
    loss = losses.discriminator_loss(
        real_scores.float(),
        fake_scores.float(),
        _place_weights(changed_real[1], real_scores, small_places),
        _place_weights(changed_fake[1], fake_scores, small_places),
    )
    terms = {"D": float(loss.detach())}
    if step % R1_EVERY == 0:
        some = slice(0, max(1, len(real.image) // 3))
        inputs = (
            changed_real[0][some].detach().requires_grad_(),
            changed_real[1][some].detach().requires_grad_(),
        )
        penalty = losses.gradient_penalty(discriminator(*inputs), inputs, (R1_IMAGE, R1_MASK))
        loss = loss + penalty * R1_EVERY
        terms["R1"] = float(penalty.detach()) * R1_EVERY  # averaged over all steps by the log
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(discriminator.parameters(), 10.0)
    optimizer.step()
    augmentation.update(real_scores.float())
    terms["augmentation"] = augmentation.strength
    terms["real sign"] = float(real_scores.detach().float().sign().mean())
    return terms
