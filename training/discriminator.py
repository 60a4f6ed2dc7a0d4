"""The dual-branch discriminator: picture and mask seen together (SemanticStyleGAN)."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import CheckpointError
from core.files import write_bytes
from core.parts import PART_COUNT

FORMAT = "ssgan3d-discriminator"
UNKNOWN_AUGMENTATION = 0.35
"""Where a file does not say to what it is used. Begun at 0 on new data, a trained discriminator was
far ahead of the generator for 450 steps; at 0.35 the two were in balance within 100."""

IMAGE_WIDTHS = (32, 64, 96)
MASK_WIDTHS = (32, 96)
JOINT_WIDTHS = (128, 128, 128)
DETAIL_GAIN = 4.0


class DownBlock(nn.Module):
    """A 3 × 3 convolution and a strided one round a pooled skip: halves the side."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, before, 3, padding=1)
        self.second = nn.Conv2d(before, after, 3, stride=2, padding=1)
        self.skip = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) → (B, after, H / 2, W / 2)."""
        y = F.leaky_relu(self.first(x), 0.2)
        y = F.leaky_relu(self.second(y), 0.2)
        return (y + self.skip(F.avg_pool2d(x, 2))) * 0.5**0.5


class Discriminator(nn.Module):
    """Scores pairs of picture and mask, place by place and as a whole.

    The picture enters through a pixel unshuffle, so that no convolution runs at full size, and with
    it its fine detail (what a blur takes away), amplified: a warm-started generator lacks nothing
    but detail, and the discriminator should see that in its first steps. Both branches meet at an
    eighth of the picture's side, where every place is scored; the joint blocks add one score for
    the whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image_entry = nn.Conv2d(2 * 3 * 4, IMAGE_WIDTHS[0], 3, padding=1)
        self.image_blocks = _blocks(IMAGE_WIDTHS)
        self.mask_entry = nn.Conv2d(PART_COUNT, MASK_WIDTHS[0], 3, stride=2, padding=1)
        self.mask_blocks = _blocks(MASK_WIDTHS)
        self.joint_blocks = _blocks((IMAGE_WIDTHS[-1], *JOINT_WIDTHS))
        self.last = nn.Conv2d(JOINT_WIDTHS[-1] + 1, JOINT_WIDTHS[-1], 3, padding=1)
        self.score = nn.Linear(JOINT_WIDTHS[-1], 1)
        self.place_score = nn.Conv2d(IMAGE_WIDTHS[-1], 1, 1)
        self.apply(_keep_variance)

    def features(self, image: Tensor, mask: Tensor) -> list[Tensor]:
        """Activations from fine to coarse.

        Args:
            image: (B, 3, S, S) in [-1, 1].
            mask: (B, K, S / 2, S / 2), sums to 1.
        """
        detail = image - F.avg_pool2d(image, 5, 1, 2, count_include_pad=False)
        x = F.pixel_unshuffle(torch.cat([image, detail * DETAIL_GAIN], 1), 2)
        x = F.leaky_relu(self.image_entry(x), 0.2)  # (B, ·, S/2, S/2)
        seen = [x]
        for block in self.image_blocks:
            x = block(x)
            seen.append(x)
        y = F.leaky_relu(self.mask_entry(mask), 0.2)
        for block in self.mask_blocks:
            y = block(y)
        x = F.leaky_relu(x + y, 0.2)  # (B, ·, S/8, S/8)
        seen[-1] = x
        for block in self.joint_blocks:
            x = block(x)
            seen.append(x)
        return seen

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, S / 8, S / 8): positive means real."""
        return self.score_of(self.features(image, mask))

    def score_of(self, features: list[Tensor]) -> Tensor:
        """Scores (B, S / 8, S / 8) from :meth:`features`."""
        places = self.place_score(features[len(self.image_blocks)])[:, 0]
        x = features[-1]
        x = torch.cat([x, batch_deviation(x)], 1)
        x = F.leaky_relu(self.last(x), 0.2).mean((2, 3))
        return places + self.score(x)[:, :, None]


def _keep_variance(module: nn.Module) -> None:
    """He initialisation: with PyTorch's default, seven halvings leave nothing to tell apart."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _blocks(widths: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(DownBlock(a, b) for a, b in zip(widths, widths[1:], strict=False))


def batch_deviation(x: Tensor) -> Tensor:
    """Mean standard deviation over the batch, as one more channel: sees repetition."""
    deviation = (x.float().var(0, unbiased=False) + 1e-8).sqrt().mean().to(x.dtype)
    return deviation.expand(x.shape[0], 1, *x.shape[2:])


def write_discriminator(path: Path, discriminator: dict[str, Tensor], augmentation: float) -> None:
    """Write a discriminator's state to ``path`` in half precision, at once or not at all.

    Args:
        augmentation: strength of the augmentation that it is used to.
    """
    halves = {name: value.half().contiguous() for name, value in discriminator.items()}
    write_bytes(path, save(halves, {"format": FORMAT, "augmentation": repr(augmentation)}))


def read_discriminator(path: Path, discriminator: Discriminator) -> float:
    """Fill a discriminator from :func:`write_discriminator`'s file.

    Returns:
        The strength of the augmentation that it is used to.

    Raises:
        CheckpointError: the file is missing, broken, or another network's.
    """
    try:
        with safe_open(str(path), "pt") as file:
            facts = file.metadata() or {}
            discriminator.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        return float(facts.get("augmentation", UNKNOWN_AUGMENTATION))
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a discriminator of this version: {error}. Give another "
            "file, or none: training then begins with a new one, and closeup does without."
        ) from error
