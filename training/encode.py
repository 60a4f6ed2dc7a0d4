"""Codes of rendered portraits in a model that is already trained.

What :func:`~training.codes.describe` says about a portrait (where its parts are, how deep, in which
colour) is compared with what the model's part maps say, and the codes that explain it best are
found by Gauss–Newton steps with the Jacobian of the mean portrait: every part depends on w_base and
its own two codes alone, so the normal equations of 13 parts and thousands of cells have a few
hundred unknowns. The mapping network's spread is the prior. A run that starts from a model file
(``train --start``) begins here instead of with principal components.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.generators import PartGroup, PartMap
from core.model import SSGAN3D
from core.parts import BACKGROUND, FACE_BASE, PART_COUNT, PART_NAMES
from training.codes import (
    CELLS,
    DENSITY_LOGIT,
    WORN_PARTS,
    Codes,
    Descriptors,
    move_cells,
)

DEPTH_ERROR, LOGIT_ERROR, COLOR_ERROR = 0.03, 4.0, 0.15
"""What a cell is expected to miss by: model units, raw density, [-1, 1] colour."""
ALIKE = 8.0
"""So many neighbouring cells say one thing."""
STEPS, DAMPING = 4, 0.7
PROBES = 512
"""Random portraits that measure the mapping network's mean and spread."""
MIN_VARIANCE = 1e-3
REFIT_RIDGE = 0.01
FEWEST = 8
CHUNK = 16
_DIFFERENCE = 0.25


def encode(model: SSGAN3D, descriptors: Descriptors, presence: Tensor) -> Codes:
    """Codes of P described portraits.

    Args:
        descriptors: as from :func:`~training.codes.describe`.
        presence: (P, K) bool; absent parts get the codes 0.

    Returns:
        base (P, base_dim), shape and texture (P, K, code_dim).
    """
    with torch.no_grad():
        return Encoder(model).encode(descriptors, presence)


def encode_and_refit(
    model: SSGAN3D,
    descriptors: Descriptors,
    presence: Tensor,
    rounds: int = 2,
    known: tuple[Tensor, Codes] | None = None,
) -> Codes:
    """As :func:`encode`, and in turn fit the parts' linear models to portraits so encoded.

    Data that the model has not seen vary in ways that its linear models do not span. Alternating
    least squares turn their axes towards the new data and leave the layers what they have learned.

    Args:
        known: rows (N,) of portraits whose codes are known already, and those codes; they keep
            them.
    """

    def found(encoder: Encoder) -> Codes:
        codes = encoder.encode(descriptors, presence)
        if known is not None:
            for target, values in zip(codes, known[1], strict=True):
                target[known[0]] = values
        return codes

    with torch.no_grad():
        encoder = Encoder(model)
        for _ in range(rounds):
            codes = found(encoder)
            encoder.refit(codes, descriptors, presence)
            encoder = Encoder(model, encoder.spread(codes, presence))
        return found(encoder)


class Encoder:
    """The linearised model. A portrait's unknowns: w_base, then w^s and w^t of each part in turn.

    Args:
        spread: expected mean and variance of the unknowns, both (D,); None measures random
            portraits of the mapping network.
    """

    def __init__(self, model: SSGAN3D, spread: tuple[Tensor, Tensor] | None = None) -> None:
        self.model, self.config = model, model.config
        if spread is None:
            z = torch.randn(PROBES, self.config.z_dim, generator=torch.Generator().manual_seed(0))
            base, shape, texture, _ = model.mapping(z)
            rows = _join(base[:, FACE_BASE], shape, texture)
            spread = rows.mean(0), rows.var(0)
        self.mean, self.variance = spread
        self.precision = self.variance.clamp_min(MIN_VARIANCE).reciprocal()
        self.jacobian = self._jacobian()  # (K, base_dim + 2 code_dim, M, 5)

    def encode(self, descriptors: Descriptors, presence: Tensor) -> Codes:
        """See :func:`encode`."""
        wanted, weights = targets(descriptors, presence)
        rows = self.mean.repeat(len(presence), 1)
        for some in torch.arange(len(rows)).split(CHUNK):
            normal = torch.linalg.cholesky(torch.stack([self._normal(weights[p]) for p in some]))
            for _ in range(STEPS):
                residual = self._residual(rows[some], wanted[some])
                pull = self._pull(rows[some], residual * weights[some])
                rows[some] += DAMPING * torch.cholesky_solve(pull[..., None], normal)[..., 0]
        base, shape, texture = self._split(rows)
        return base, shape * presence[..., None], texture * presence[..., None]

    def spread(self, codes: Codes, presence: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (D,) of codes over the portraits that have the part.

        Of parts that fewer than ``FEWEST`` have, it stays as it was expected.
        """
        rows = _join(*codes)
        known = torch.zeros_like(rows)
        known[:, : self.config.base_dim] = 1
        for part in range(PART_COUNT):
            known[:, self._own(part)[self.config.base_dim :]] = presence[:, part, None].float()
        count = known.sum(0)
        mean = (rows * known).sum(0) / count.clamp_min(1)
        variance = ((rows - mean).square() * known).sum(0) / (count - 1).clamp_min(1)
        enough = count >= FEWEST
        return (
            torch.where(enough, mean, self.mean),
            torch.where(enough, variance, self.variance),
        )

    def refit(self, codes: Codes, descriptors: Descriptors, presence: Tensor) -> None:
        """Change the parts' linear models by what explains best how the portraits miss."""
        wanted, weights = targets(descriptors, presence)
        rows = _join(*codes)
        # the face first, because the others are placed on it
        for parts in ([FACE_BASE], [part for part in range(PART_COUNT) if part != FACE_BASE]):
            residual = torch.cat(
                [
                    self._residual(rows[some], wanted[some])
                    for some in torch.arange(len(rows)).split(CHUNK)
                ]
            )  # (P, K, M, 5)
            self._refit_parts(parts, codes, residual, weights)

    def _refit_parts(
        self, parts: list[int], codes: Codes, residual: Tensor, weights: Tensor
    ) -> None:
        base, shape, texture = codes
        one = torch.ones(len(base), 1)
        for group in self.model.generators.groups:
            assert isinstance(group, PartGroup)
            for row, part in enumerate(group.parts):
                if part not in parts:
                    continue
                wearer = torch.zeros_like(base) if PART_NAMES[part] in WORN_PARTS else base
                form = torch.cat([wearer, shape[:, part], one], 1)
                color = torch.cat([base, texture[:, part], one], 1)
                for basis, inputs, channels in (
                    (group.form_basis, form, (0, 1)),
                    (group.color_basis, color, (2, 3, 4)),
                ):
                    for place, channel in enumerate(channels):
                        change = _weighted_fit(
                            inputs, residual[:, part, :, channel], weights[:, part, :, channel]
                        )  # (base_dim + code_dim + 1, M)
                        fine = change.reshape(len(change), 1, CELLS, CELLS)
                        size = (self.config.linear_cells, self.config.linear_cells)
                        basis[row, :, place] += F.interpolate(fine, size=size, mode="area")[:, 0]

    def _seen(self, rows: Tensor) -> Tensor:
        """Cells of the part maps of unknowns (B, D): (B, K, M, 5)."""
        maps = self.model.part_maps(*self._split(rows))
        return torch.stack([cells_of(maps[part]) for part in range(PART_COUNT)], 1)

    def _residual(self, rows: Tensor, wanted: Tensor) -> Tensor:
        """How unknowns (B, D) miss ``wanted`` (B, K, M, 5), whose depth is absolute."""
        seen = self._seen(rows)
        face = seen[:, FACE_BASE, :, 0].clone()
        for part in range(PART_COUNT):
            if part not in (FACE_BASE, BACKGROUND):
                seen[:, part, :, 0] += move_cells(face, FACE_BASE, part, self.config)
        return wanted - seen

    def _jacobian(self) -> Tensor:
        """By central differences at the mean. Parts do not see each other's codes, so that the
        codes of all parts are moved at once.
        """
        width, code = self.config.base_dim, self.config.code_dim
        columns = []
        base, shape, texture = self._split(self.mean[None])
        for entry in range(width + 2 * code):
            sides = []
            for sign in (1, -1):
                moved = [t.clone() for t in (base, shape, texture)]
                if entry < width:
                    moved[0][:, entry] += sign * _DIFFERENCE
                else:
                    kind, column = divmod(entry - width, code)
                    moved[1 + kind][:, :, column] += sign * _DIFFERENCE
                sides.append(self._seen(_join(*moved))[0])
            columns.append((sides[0] - sides[1]) / (2 * _DIFFERENCE))
        return torch.stack(columns, 1)

    def _own(self, part: int) -> Tensor:
        """Places of w_base, w^s and w^t of a part among a portrait's unknowns."""
        width, code = self.config.base_dim, self.config.code_dim
        own = width + torch.arange(code)
        return torch.cat([torch.arange(width), own + part * code, own + (PART_COUNT + part) * code])

    def _normal(self, weights: Tensor) -> Tensor:
        """The normal matrix (D, D) of one portrait with the prior's; weights (K, M, 5)."""
        weighted = (self.jacobian * weights[:, None]).flatten(2)
        parts = torch.bmm(weighted, self.jacobian.flatten(2).transpose(1, 2))  # (K, E, E)
        normal = torch.diag(self.precision)
        for part in range(PART_COUNT):
            index = self._own(part)
            normal[index[:, None], index] += parts[part]
        return normal

    def _pull(self, rows: Tensor, residual: Tensor) -> Tensor:
        """The right sides (B, D): unknowns (B, D) and weighted residuals (B, K, M, 5)."""
        parts = torch.einsum("kemc,bkmc->bke", self.jacobian, residual)
        pull = self.precision * (self.mean - rows)
        for part in range(PART_COUNT):
            pull[:, self._own(part)] += parts[:, part]
        return pull

    def _split(self, rows: Tensor) -> Codes:
        width = self.config.base_dim
        base, codes = rows[:, :width], rows[:, width:].unflatten(1, (2, PART_COUNT, -1))
        return base, codes[:, 0], codes[:, 1]


def _join(base: Tensor, shape: Tensor, texture: Tensor) -> Tensor:
    return torch.cat([base, shape.flatten(1), texture.flatten(1)], 1)


def _weighted_fit(inputs: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Ridge regression of rows (P, M) on inputs (P, E) with weights (P, M): (E, M)."""
    normal = torch.einsum("pm,pe,pf->mef", weights, inputs, inputs)
    normal += torch.eye(inputs.shape[1]) * REFIT_RIDGE * len(inputs) * weights.max().clamp_min(1)
    right = torch.einsum("pm,pe->me", weights * rows, inputs)
    return torch.linalg.solve(normal, right[..., None])[..., 0].T


def cells_of(part: PartMap) -> Tensor:
    """Depth, raw density and colour of a part's map on the descriptors' cells, (B, M, 5)."""
    density = part.density.clamp_min(1e-6)
    raw = density + torch.log(-torch.expm1(-density))  # the inverse of softplus
    raw = raw.clamp(-DENSITY_LOGIT, DENSITY_LOGIT)
    values = torch.stack([part.depth, raw, *part.features[..., :3].float().unbind(-1)], 1)
    return F.adaptive_avg_pool2d(values, CELLS).flatten(2).transpose(1, 2)


def targets(descriptors: Descriptors, presence: Tensor) -> tuple[Tensor, Tensor]:
    """What :func:`cells_of` should be with absolute depth, and how much each value counts.

    Both (P, K, M, 5).
    """
    where = descriptors.where
    share = where.nan_to_num()
    logit = (share.clamp(0, 1) - 0.5) * (2 * DENSITY_LOGIT)
    depth = descriptors.depth.nan_to_num()
    wanted = torch.cat([depth[..., None], logit[..., None], descriptors.color.nan_to_num()], -1)
    met = share * presence[..., None]
    lifted = torch.ones(PART_COUNT, 1)
    lifted[BACKGROUND] = 0
    looked = (~where.isnan()).float() * presence[..., None] * lifted
    errors = torch.tensor([DEPTH_ERROR, LOGIT_ERROR, COLOR_ERROR, COLOR_ERROR, COLOR_ERROR])
    weights = torch.stack([met * lifted, looked, met, met, met], -1) / (errors**2 * ALIKE)
    return wanted, weights
