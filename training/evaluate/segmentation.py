"""Is the mask true: a small segmentation network that has only ever seen renders."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import PortraitError
from core.files import replacing
from core.parts import PART_COUNT
from training import losses
from training.augment import AdaptiveAugmentation
from training.data import PortraitSet
from training.evaluate.pictures import Pictures, resized

WIDTHS = (24, 40, 64, 96)
SIDE = 128
"""Side of the pictures that the network sees and of the labels that it predicts."""
STEPS = 800
BATCH = 8
RATE = 2e-3
AUGMENTATION = 0.6
VERSION = 1


class SegmentationNet(nn.Module):
    """A U-Net of four levels, the finest at half of ``SIDE``: no convolution runs at full size."""

    def __init__(self) -> None:
        super().__init__()
        pairs = list(zip(WIDTHS, WIDTHS[1:], strict=False))
        self.entry = _block(3 * 4, WIDTHS[0])
        self.down = nn.ModuleList(_block(a, b, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(_block(a + b, a) for a, b in reversed(pairs))
        self.head = nn.Conv2d(WIDTHS[0], PART_COUNT * 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, SIDE, SIDE) in [-1, 1] → logits (N, K, SIDE, SIDE)."""
        levels = [self.entry(F.pixel_unshuffle(image, 2))]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = up(torch.cat([x, levels.pop()], 1))
        return F.pixel_shuffle(self.head(x), 2)


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1),
        nn.GroupNorm(4, after),
        nn.LeakyReLU(0.1),
        nn.Conv2d(after, after, 3, padding=1),
        nn.GroupNorm(4, after),
        nn.LeakyReLU(0.1),
    )


def train_segmenter(data: PortraitSet, steps: int = STEPS, seed: int = 0) -> SegmentationNet:
    """Train on renders, with flips, shifts, changed light and softened pictures."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SegmentationNet()
    optimizer = torch.optim.AdamW(net.parameters(), RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    change = AdaptiveAugmentation(AUGMENTATION)
    for _ in range(steps):
        rows = torch.randint(len(data), (BATCH,), generator=generator).tolist()
        image = resized(data.picture(rows), SIDE)
        mask = resized(data.soft_mask(rows, min(SIDE, data.size)), SIDE)
        image, mask = change(image, mask, generator)
        image = _soften(image, generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(image)
        loss = losses.mask_cross_entropy(F.log_softmax(logits.float(), 1), mask)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval().requires_grad_(False)


def _soften(image: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the batches smaller and enlarged again, all with a little noise."""
    side = image.shape[-1]
    if float(torch.rand((), generator=generator)) < 0.5:
        factor = 0.25 + 0.5 * float(torch.rand((), generator=generator))
        image = resized(resized(image, round(side * factor)), side)
    return image + 0.03 * torch.randn(image.shape, generator=generator)


def save_segmenter(net: SegmentationNet, path: Path, facts: dict[str, int]) -> None:
    """Write the weights, at once or not at all."""
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    with replacing(path) as temporary:
        header = {"segmenter": json.dumps({"version": VERSION, "widths": WIDTHS} | facts)}
        save_file(tensors, str(temporary), header)


def load_segmenter(path: Path) -> SegmentationNet:
    """Read what :func:`save_segmenter` wrote.

    Raises:
        PortraitError: it is broken or of another version.
    """
    net = SegmentationNet()
    try:
        with safe_open(str(path), "pt") as file:
            facts = json.loads((file.metadata() or {})["segmenter"])
            if facts["version"] != VERSION or tuple(facts["widths"]) != WIDTHS:
                raise ValueError("it is of another version")
            net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise PortraitError(
            f"{path} is no segmentation network of ours ({error}): remove it, and it will be "
            "trained anew."
        ) from error
    return net.eval().requires_grad_(False)


@torch.no_grad()
def predict(net: SegmentationNet, images: Tensor) -> Tensor:
    """Labels (N, SIDE, SIDE) of pictures (N, 3, S, S)."""
    chunks = resized(images, SIDE).split(16)
    return torch.cat([net(chunk).argmax(1) for chunk in chunks])


def confusion(truth: Tensor, prediction: Tensor) -> Tensor:
    """(K, K) counts of pixels by true and predicted label."""
    pairs = truth.long().flatten() * PART_COUNT + prediction.long().flatten()
    return torch.bincount(pairs, minlength=PART_COUNT**2).reshape(PART_COUNT, PART_COUNT)


def part_iou(counts: Tensor) -> Tensor:
    """Intersection over union of each part (K,); NaN where neither side has the part."""
    hit = counts.diagonal().double()
    union = counts.sum(0) + counts.sum(1) - hit
    return torch.where(union > 0, hit / union.clamp_min(1), math.nan)


@dataclass
class MaskTruth:
    """IoU of the network's prediction with a set's own labels, by part (K,)."""

    iou: Tensor

    def mean(self, parts: Tensor) -> float:
        """Mean over the chosen parts (K,) bool."""
        return float(self.iou[parts].mean())


def mask_truth(net: SegmentationNet, pictures: Pictures) -> MaskTruth:
    """Compare a set's labels with what the network sees in its pictures."""
    own = F.interpolate(pictures.labels[:, None].float(), size=(SIDE, SIDE), mode="nearest-exact")
    return MaskTruth(part_iou(confusion(own[:, 0], predict(net, pictures.image))))
