"""Warm start: codes of training portraits, found without training.

Rendered views come with depth, labels and camera, so every pixel can be carried into the map of its
part. What a part looks like over all views of a portrait is then a vector (where it is, how deep,
in which colour), and principal components of those vectors are good first codes: the generator has
only to learn to decode them. Colours of the head and its coarse form go into w_base, and the
parts' codes hold what w_base does not explain, so that a nose keeps its form and takes the skin
that it is put on.

The auto-decoder (:class:`CodeBook`) goes on from there: codes are parameters, one row for each
distinct part of the data, so that siblings, which share all parts but one, share all codes but one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import ModelConfig
from core.files import replacing
from core.generators import PartGroup
from core.lifting import model_to_map, window_coordinates
from core.model import SSGAN3D
from core.parts import BACKGROUND, FACE_BASE, PART_COUNT, PART_NAMES
from training.data import PortraitSet, View

CELLS = 16
"""Side of the grid over a part's window on which it is described."""
HEAD_PARTS = ("skin", "nose", "mouth", "ears", "neck")
WORN_PARTS = ("hair", "clothes", "glasses", "hat", "earrings")
"""Their shape is in their own code alone, however well it goes with who wears them: else long hair
put on someone whose face goes with short hair stays short."""
Codes = tuple[Tensor, Tensor, Tensor]
RIDGE = 0.01
DENSITY_LOGIT = 5.0
"""Raw density of a cell that always, or (negated) never, meets the part."""
SPECTRUM_POWER = 0.35
"""Codes have the standard deviation (λ_i / λ_0)^power: 0.5 is plain PCA, 0 is whitening."""


@dataclass
class Descriptors:
    """What the parts of P portraits look like; M = CELLS².

    Attributes:
        where: share of the looks at a cell that met the part, (P, K, M), NaN where never looked at.
        depth: mean model z of the part, (P, K, M), NaN where it was not met.
        color: mean colour in [-1, 1], (P, K, M, 3), NaN where it was not met.
    """

    where: Tensor
    depth: Tensor
    color: Tensor


def describe(
    data: PortraitSet, groups: Sequence[Sequence[int]], config: ModelConfig
) -> Descriptors:
    """Carry the pixels of each group of views (one portrait each) into the parts' maps."""
    count = len(groups)
    where = torch.full((count, PART_COUNT, CELLS**2), torch.nan)
    depth = torch.full_like(where, torch.nan)
    color = torch.full((*where.shape, 3), torch.nan)
    for row, views in enumerate(groups):
        met = torch.zeros(PART_COUNT, CELLS**2)
        looked = torch.zeros_like(met)
        z_sum, color_sum = torch.zeros_like(met), torch.zeros(*met.shape, 3)
        for view in views:
            labels, colors, points, shown = _surface(data, view)
            uv = model_to_map(points, config)
            for part in range(PART_COUNT):
                spec = config.maps[part]
                if part == BACKGROUND:
                    cell, inside = _picture_cells(labels.shape[0]), torch.ones(len(labels)).bool()
                    mine = labels == BACKGROUND
                else:
                    place = window_coordinates(uv, spec.window)
                    inside = shown & (place.abs() < 1).all(-1)
                    grid = ((place + 1) / 2 * CELLS).long().clamp(0, CELLS - 1)
                    cell, mine = grid[:, 1] * CELLS + grid[:, 0], (labels == part) & inside
                looked[part].index_add_(0, cell[inside], torch.ones(int(inside.sum())))
                met[part].index_add_(0, cell[mine], torch.ones(int(mine.sum())))
                z_sum[part].index_add_(0, cell[mine], points[mine, 2])
                color_sum[part].index_add_(0, cell[mine], colors[mine])
        where[row] = torch.where(looked > 0, met / looked, torch.nan)
        depth[row] = torch.where(met > 0, z_sum / met, torch.nan)
        color[row] = torch.where(met[..., None] > 0, color_sum / met[..., None], torch.nan)
    return Descriptors(where, depth, color)


def _surface(data: PortraitSet, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Labels (M,), colours (M, 3), model points (M, 3) and whether they are foreground (M,)."""
    view = data.views[index]
    size = data.depth.shape[-1]
    origins, directions = view.camera.rays(size, size)
    planar = data.depth[index].float() + view.distance
    points = (
        torch.from_numpy(origins.copy()).float()
        + torch.from_numpy(directions.copy()).float() * planar[..., None]
    )
    step = data.size // size
    labels = data.labels[index][step // 2 :: step, step // 2 :: step].long()
    colors = F.avg_pool2d(data.picture([index])[0], step).permute(1, 2, 0)
    shown = data.foreground[index]
    labels = torch.where(shown, labels, BACKGROUND)
    return labels.flatten(), colors.reshape(-1, 3), points.reshape(-1, 3), shown.flatten()


def _picture_cells(pixels: int) -> Tensor:
    side = round(pixels**0.5)
    line = torch.arange(side) * CELLS // side
    return (line[:, None] * CELLS + line).flatten()


def axis_signs(axes: Tensor) -> Tensor:
    """Signs (R,) that make the largest entry of each axis (R, D) positive.

    A decomposition leaves them to chance. Settled, one fit's codes mean the same people as the
    next's.
    """
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))[:, 0]
    return torch.where(largest < 0, -1.0, 1.0)


class PrincipalComponents:
    """PCA whose components have standard deviation (λ_i / λ_0)^power.

    Attributes:
        mean: (D,).
        axes: (D, Z): ``(x - mean) @ axes`` is the code.
    """

    def __init__(self, mean: Tensor, axes: Tensor) -> None:
        self.mean, self.axes = mean, axes

    @classmethod
    def fit(cls, rows: Tensor, size: int) -> PrincipalComponents:
        """Fit to rows (P, D); ``size`` components, zero axes where the data has fewer."""
        mean = rows.mean(0)
        _, values, axes = torch.linalg.svd(rows - mean, full_matrices=False)
        axes = axes * axis_signs(axes)[:, None]
        used = min(size, int((values > values[0] * 1e-2).sum()) if len(values) else 0)
        deviation = values[:used] / max(len(rows) - 1, 1) ** 0.5
        target = (deviation / deviation[0]) ** (2 * SPECTRUM_POWER) if used else deviation
        columns = torch.zeros(rows.shape[1], size)
        columns[:, :used] = axes[:used].T * (target / deviation)
        return cls(mean, columns)

    def encode(self, rows: Tensor) -> Tensor:
        """Codes (P, Z) of rows (P, D)."""
        return (rows - self.mean) @ self.axes


@dataclass
class CodeBasis:
    """How descriptors become codes; fitted once, applied to portraits that come later.

    Attributes:
        fill: mean descriptors that stand in for what was not seen, by name.
        components: PCA of "base", and of "shape.<part>" and "texture.<part>".
        regression: (base_dim + 1, D) matrices that predict a part's descriptor from w_base.
    """

    fill: dict[str, Tensor]
    components: dict[str, PrincipalComponents]
    regression: dict[str, Tensor]

    @classmethod
    def fit(cls, descriptors: Descriptors, presence: Tensor, config: ModelConfig) -> CodeBasis:
        """Fit to portraits.

        Args:
            presence: (P, K) bool; a part's basis is fitted to portraits that have it.
        """
        fill = {
            "where": descriptors.where.nanmean(0).nan_to_num(),
            "depth": _smooth_mean(descriptors.depth),
            "color": _smooth_mean(descriptors.color.movedim(-1, 0)).movedim(0, -1),
        }
        basis = cls(fill, {}, {})
        base_rows = basis._base_rows(descriptors)
        basis.components["base"] = PrincipalComponents.fit(base_rows, config.base_dim)
        base = basis.components["base"].encode(base_rows)
        explained = torch.cat([base, torch.ones(len(base), 1)], 1)  # (P, base_dim + 1)
        for part in range(PART_COUNT):
            has = presence[:, part]
            for kind, rows in zip(
                ("shape", "texture"), basis._rows(descriptors, part), strict=True
            ):
                key = f"{kind}.{PART_NAMES[part]}"
                if int(has.sum()) < 2:
                    basis.regression[key] = torch.zeros(explained.shape[1], rows.shape[1])
                    basis.components[key] = PrincipalComponents(
                        torch.zeros(rows.shape[1]), torch.zeros(rows.shape[1], config.code_dim)
                    )
                    continue
                known = explained[has]
                if kind == "shape" and PART_NAMES[part] in WORN_PARTS:
                    known = known * _only_constant(known)
                ridge = torch.eye(known.shape[1]) * 0.05 * len(known)
                weights = torch.linalg.solve(known.T @ known + ridge, known.T @ rows[has])
                basis.regression[key] = weights
                residual = rows[has] - known @ weights
                basis.components[key] = PrincipalComponents.fit(residual, config.code_dim)
        return basis

    def encode(self, descriptors: Descriptors) -> Codes:
        """First codes: base (P, base_dim), shape and texture (P, K, code_dim)."""
        base = self.components["base"].encode(self._base_rows(descriptors))
        explained = torch.cat([base, torch.ones(len(base), 1)], 1)
        codes: dict[str, list[Tensor]] = {"shape": [], "texture": []}
        for part in range(PART_COUNT):
            for kind, rows in zip(("shape", "texture"), self._rows(descriptors, part), strict=True):
                key = f"{kind}.{PART_NAMES[part]}"
                residual = rows - explained @ self.regression[key]
                codes[kind].append(self.components[key].encode(residual))
        return base, torch.stack(codes["shape"], 1), torch.stack(codes["texture"], 1)

    def _base_rows(self, descriptors: Descriptors) -> Tensor:
        """Colour of the head's parts, coarse light on the face, coarse form of the head."""
        head = [PART_NAMES.index(name) for name in HEAD_PARTS]
        tone = descriptors.color[:, head].nanmean(2)  # (P, parts, 3)
        # a part that no view shows has the data's mean colour
        tone = torch.where(tone.isnan(), self.fill["color"][head].mean(1), tone).flatten(1)
        light = self._coarse(self._filled(descriptors.color, "color", FACE_BASE), 4)
        depth = self._coarse(self._filled(descriptors.depth, "depth", FACE_BASE)[..., None], 8)
        where = self._coarse(self._filled(descriptors.where, "where", FACE_BASE)[..., None], 8)
        return torch.cat([tone * 1.5, light * 0.7, depth * 1.5, where * 0.25], 1)

    def _rows(self, descriptors: Descriptors, part: int) -> tuple[Tensor, Tensor]:
        """Shape rows (P, 2 M) and texture rows (P, 3 M) of one part."""
        where = self._filled(descriptors.where, "where", part)
        depth = self._filled(descriptors.depth, "depth", part)
        color = descriptors.color[:, part]
        template = self.fill["color"][part]
        # an unseen cell takes the template, shifted to this portrait's own mean colour
        offset = (color - template).nanmean(1, keepdim=True).nan_to_num()
        color = torch.where(color.isnan(), template + offset, color)
        return torch.cat([where, depth * 2], 1), color.flatten(1)

    def _filled(self, values: Tensor, name: str, part: int) -> Tensor:
        rows = values[:, part]
        return torch.where(rows.isnan(), self.fill[name][part], rows)

    @staticmethod
    def _coarse(rows: Tensor, side: int) -> Tensor:
        grid = rows.unflatten(1, (CELLS, CELLS)).permute(0, 3, 1, 2)
        return F.adaptive_avg_pool2d(grid, side).flatten(1)

    def initialise(
        self, model: SSGAN3D, descriptors: Descriptors, presence: Tensor, codes: Codes
    ) -> None:
        """Set the generators' linear models to the best linear decoding of ``codes``.

        Args:
            codes: base, shape and texture of the described portraits, as from :meth:`encode`.
        """
        base, shape, texture = codes
        nobody = torch.zeros_like(base)
        everyone = torch.ones(len(base)).bool()
        skin = self._fit_linear(
            base, shape[:, FACE_BASE], self._filled(descriptors.depth, "depth", FACE_BASE), everyone
        )
        skin_depth = _predict(skin, base, shape[:, FACE_BASE])  # (P, M)
        config = model.config
        for group in model.generators.groups:
            assert isinstance(group, PartGroup)
            for row, part in enumerate(group.parts):
                has = presence[:, part] if presence[:, part].sum() > 1 else everyone
                where, depth = (
                    self._filled(getattr(descriptors, n), n, part) for n in ("where", "depth")
                )
                density = (where.clamp(0, 1) - 0.5) * (2 * DENSITY_LOGIT)
                if part != FACE_BASE:
                    depth = depth - move_cells(skin_depth, FACE_BASE, part, config)
                _, color = self._rows(descriptors, part)
                color = color.unflatten(1, (CELLS**2, 3)).movedim(2, 1).flatten(1)  # (P, 3 M)
                form = torch.cat([depth, density], 1)
                wearer = nobody if PART_NAMES[part] in WORN_PARTS else base
                with torch.no_grad():
                    for basis, whole, code, rows in (
                        (group.form_basis, wearer, shape[:, part], form),
                        (group.color_basis, base, texture[:, part], color),
                    ):
                        fitted = self._fit_linear(whole, code, rows, has)
                        fitted = fitted.reshape(len(fitted), -1, CELLS, CELLS)
                        size = (config.linear_cells, config.linear_cells)
                        basis[row] = F.interpolate(fitted, size=size, mode="area")

    @staticmethod
    def _fit_linear(base: Tensor, code: Tensor, rows: Tensor, has: Tensor) -> Tensor:
        """Ridge regression of rows (P, D) on [base, code, 1] over portraits that have the part."""
        inputs = torch.cat([base, code, torch.ones(len(base), 1)], 1)[has]
        ridge = torch.eye(inputs.shape[1]) * RIDGE * len(inputs)
        ridge[-1, -1] = 1e-6 * len(inputs)
        return torch.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ rows[has])

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        tensors = {f"fill.{k}": v for k, v in self.fill.items()}
        for key, pca in self.components.items():
            tensors[f"mean.{key}"], tensors[f"axes.{key}"] = pca.mean, pca.axes
        tensors |= {f"regression.{k}": v for k, v in self.regression.items()}
        with replacing(path) as temporary:
            save_file({k: v.contiguous() for k, v in tensors.items()}, str(temporary))

    @classmethod
    def load(cls, path: Path) -> CodeBasis:
        """Inverse of :meth:`save`."""
        groups: dict[str, dict[str, Tensor]] = {
            "fill": {},
            "mean": {},
            "axes": {},
            "regression": {},
        }
        for key, value in load_file(str(path)).items():
            group, name = key.split(".", 1)
            groups[group][name] = value
        components = {
            k: PrincipalComponents(groups["mean"][k], groups["axes"][k]) for k in groups["mean"]
        }
        return cls(groups["fill"], components, groups["regression"])


def _only_constant(inputs: Tensor) -> Tensor:
    """(D,) zeros but for the last entry: a regression on the inputs so masked finds the mean."""
    mask = torch.zeros(inputs.shape[1])
    mask[-1] = 1
    return mask


def _predict(weights: Tensor, base: Tensor, code: Tensor) -> Tensor:
    return torch.cat([base, code, torch.ones(len(base), 1)], 1) @ weights


def move_cells(cells: Tensor, source: int, target: int, config: ModelConfig) -> Tensor:
    """Resample (P, M) cells of one part's window to another's, edges repeated."""
    u0, u1, v0, v1 = config.maps[target].window
    line = (torch.arange(CELLS) + 0.5) / CELLS
    v, u = torch.meshgrid(v1 - line * (v1 - v0), u0 + line * (u1 - u0), indexing="ij")
    grid = window_coordinates(torch.stack([u, v], -1), config.maps[source].window)
    moved = F.grid_sample(
        cells.unflatten(1, (1, CELLS, CELLS)),
        grid.expand(len(cells), -1, -1, -1),
        align_corners=False,
        padding_mode="border",
    )
    return moved.flatten(1)


def _smooth_mean(values: Tensor) -> Tensor:
    """Mean over portraits (dim -3), cells that nobody showed filled with their part's mean."""
    mean = values.nanmean(-3)  # (..., K, M)
    return torch.where(mean.isnan(), mean.nanmean(-1, keepdim=True), mean).nan_to_num()


class CodeBook(nn.Module):
    """The auto-decoder's codes: rows of w_base, w^s and w^t, one for each distinct factor.

    Attributes:
        base: (portraits with distinct globals and lights, base_dim).
        shape, texture: (rows over all parts, code_dim).
    """

    def __init__(self, base: Tensor, shape: Tensor, texture: Tensor) -> None:
        super().__init__()
        self.base = nn.Parameter(base)
        self.shape = nn.Parameter(shape)
        self.texture = nn.Parameter(texture)

    def forward(self, base_rows: Tensor, part_rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes of portraits: base_rows (B,), part_rows (B, K) → (B, ·), (B, K, ·), (B, K, ·)."""
        return (
            F.embedding(base_rows, self.base),
            F.embedding(part_rows, self.shape),
            F.embedding(part_rows, self.texture),
        )


@dataclass
class FactorIndex:
    """Which row of the code book belongs to which factor of the data.

    Attributes:
        base_rows: (P,) row of w_base of each portrait.
        part_rows: (P, K) row of the part codes.
        names: the key of each row, as text, base rows first: what finds it again in a later run.
    """

    base_rows: Tensor
    part_rows: Tensor
    names: tuple[list[str], list[str]]

    @classmethod
    def build(cls, portraits: Sequence[View]) -> FactorIndex:
        """Index one view of each portrait."""
        base: dict[str, int] = {}
        parts: dict[str, int] = {}
        base_rows, part_rows = [], []
        for view in portraits:
            base_rows.append(base.setdefault(view.base_key, len(base)))
            rows = []
            for name in PART_NAMES:
                rows.append(parts.setdefault(view.part_key(name), len(parts)))
            part_rows.append(rows)
        return cls(torch.tensor(base_rows), torch.tensor(part_rows), (list(base), list(parts)))

    def average(self, base: Tensor, shape: Tensor, texture: Tensor) -> CodeBook:
        """A code book whose rows are the means over the portraits that share them."""
        rows = self.part_rows.flatten()
        return CodeBook(
            _mean_rows(base, self.base_rows, len(self.names[0])),
            _mean_rows(shape.flatten(0, 1), rows, len(self.names[1])),
            _mean_rows(texture.flatten(0, 1), rows, len(self.names[1])),
        )

    @torch.no_grad()
    def assign(self, book: CodeBook, portraits: Tensor, codes: Codes) -> None:
        """Set the rows of portraits (N,) to their codes (N, ·), (N, K, ·), (N, K, ·)."""
        rows = self.part_rows[portraits]
        book.base[self.base_rows[portraits]] = codes[0].to(book.base)
        book.shape[rows] = codes[1].to(book.shape)
        book.texture[rows] = codes[2].to(book.texture)


def _mean_rows(values: Tensor, rows: Tensor, count: int) -> Tensor:
    total = torch.zeros(count, values.shape[1]).index_add_(0, rows, values)
    return total / torch.from_numpy(np.bincount(rows.numpy(), minlength=count)).float()[:, None]
