"""Hair on the scalp: the hairline and ten styles of strands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.synthetic.identity import Identity
from training.synthetic.maths import UP, normalize, smooth_noise, smoothstep
from training.synthetic.regions import Regions
from training.synthetic.strands import Growth, Roots, Strands, Surface, coil, grow

_TAIL_STRANDS = 900
_RADIUS, _STUBBLE_RADIUS = 0.0062, 0.0035


def scalp_mask(identity: Identity, regions: Regions) -> np.ndarray:
    """Where the hair grows, (V,) in 0..1; all zero for a bald head without a fringe of hair."""
    hair = identity.hair
    if not hair.present:
        return np.zeros_like(regions.y)
    line = regions.hairline(hair.recession, hair.front, hair.side)
    line = line + smooth_noise(identity.stream("hair", "hairline"), regions.rest, 8)[:, 0] * 0.02
    mask = smoothstep(-0.02, 0.04, regions.y - line) * (regions.ears < 0.2) * (regions.y > 6.6)
    if hair.style == "bald":
        crown = np.interp(regions.azimuth, [0, 0.8, 1.3, 3.2], [7.0, 7.3, 7.75, 7.7])
        mask = mask * smoothstep(0.05, -0.1, regions.y - crown)
    return mask


@dataclass
class _Style:
    """A style's growth before the randomness that all styles share is added."""

    direction: np.ndarray
    length: np.ndarray | float
    steps: int = 14
    gravity: float = 0.1
    volume: float = 0.06
    attraction: float = 0.0
    part_from_face: float = 0.0
    wave: float = 0.0
    frequency: float = 4.0
    phase_frequency: float = 3.0
    cut: float | None = None
    tie: np.ndarray | None = None
    extra: list[Strands] = field(default_factory=list)


@dataclass(frozen=True)
class _Scene:
    """What a style sees: the roots and directions along the scalp."""

    rng: np.random.Generator
    roots: Roots
    radial: np.ndarray
    side: np.ndarray
    coherent: np.ndarray
    curl: float

    @property
    def height(self) -> np.ndarray:
        return self.roots.rest[:, 1]


def grow_hair(
    identity: Identity,
    surface: Surface,
    count: int,
    hat_height: Callable[[np.ndarray], np.ndarray] | None,
) -> Strands | None:
    """Strands of the identity's hair, or None without any.

    Args:
        count: strands of an ordinary style.
        hat_height: height of points (N, 3) above a hat's rim; hair is pressed down and hidden
            above it.
    """
    hair = identity.hair
    mask = scalp_mask(identity, surface.regions)
    if mask.max() < 0.05:
        return None
    rng = identity.stream("hair", "strands")
    cropped = hair.style in ("buzz", "bald")
    roots = surface.roots(rng, mask, 0.15, int(count * 1.6) if cropped else count)
    number = len(roots.points)
    crown = np.array([rng.uniform(-0.1, 0.1), 8.40, -0.05])
    radial = normalize(roots.rest - crown)
    radial = normalize(radial - roots.normals * np.sum(radial * roots.normals, 1, keepdims=True))
    parting = float(rng.choice([-1, 1]) * rng.uniform(0, 0.35))
    if hair.style in ("long", "bob") and rng.random() < 0.4:
        parting = float(rng.uniform(-0.06, 0.06))
    side = np.sign(roots.rest[:, 0] - parting)[:, None] * np.array([1.0, 0, 0])
    coherent = smooth_noise(rng, roots.points, 5, 3)
    fine = rng.normal(size=(number, 3))
    style = _STYLES[hair.style](_Scene(rng, roots, radial, side, coherent, hair.curl))

    length = style.length * rng.uniform(0.8, 1.05, number) * (1 + 0.08 * coherent[:, 1])
    # A hairline of full-length hair looks like a wig's: its outermost strands are short and thin.
    edge = smoothstep(0.15, 0.85, roots.density)
    length = length * (0.35 + 0.65 * np.maximum(edge, rng.random(number) ** 2))
    layer = rng.random(number) ** 0.7

    def drift(points: np.ndarray) -> np.ndarray:
        wander = fine * 0.02 + coherent * 0.04
        if style.tie is not None:
            wander = wander + normalize(style.tie - points) * 0.55
        return wander

    def margin_scale(points: np.ndarray) -> np.ndarray:
        if hat_height is None:
            return np.ones(len(points))
        return 1 - 0.6 * smoothstep(-0.25, 0, hat_height(points))

    points = grow(
        surface,
        roots.points,
        Growth(
            direction=normalize(style.direction + fine * 0.12 + coherent * 0.12),
            length=length,
            steps=style.steps,
            margin=0.012 + style.volume * layer,
            gravity=style.gravity,
            attraction=style.attraction,
            part_from_face=style.part_from_face,
            drift=drift,
            margin_scale=margin_scale,
        ),
    )
    along = np.linspace(0, 1, style.steps)[None, :]
    if style.wave > 0:
        phase = smooth_noise(rng, roots.points, style.phase_frequency)[:, 0] * 4
        phase = (phase + rng.normal(0, 0.5, number))[:, None]
        growing = np.minimum(1, along * 2.5) * np.minimum(1, length[:, None] * 1.5)
        turns = along * length[:, None] * style.frequency
        points = coil(points, style.wave * growing, turns * 2 * np.pi + phase)

    taper = np.linspace(1, 0.45, style.steps)[None]
    thickness = (_STUBBLE_RADIUS if cropped else _RADIUS) * (0.6 + 0.4 * edge[:, None])
    radii = thickness * taper * rng.uniform(0.7, 1.2, (number, 1))
    if style.cut is not None:
        line = style.cut + coherent[:, 0] * 0.06 + rng.normal(0, 0.03, number)
        points, radii = _cut_below(points, radii, line)
    brow_line = 7.44 + coherent[:, 0] * 0.04 + rng.uniform(-0.03, 0.10)
    brow_line = (brow_line + rng.normal(0, 0.02, number))[:, None]
    x, y, z = np.moveaxis(points, -1, 0)
    before_eyes = (z > 0.95) & (np.abs(x) < 0.52) & (y < brow_line) & (y > 6.3)
    radii = np.where(before_eyes, 0, radii)
    for strands in style.extra:
        points = np.concatenate([points, strands.points])
        radii = np.concatenate([radii, strands.radii])
    if hat_height is not None:
        above = hat_height(points.reshape(-1, 3)).reshape(radii.shape) > 0.02
        radii = np.where(above, 0, radii)
    return Strands(points, radii)


def _cut_below(
    points: np.ndarray, radii: np.ndarray, line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """End every strand at its own height ``line`` (N,)."""
    steps = points.shape[1]
    last = np.maximum((points[:, :, 1] >= line[:, None]).sum(1) - 1, 1)
    beyond = np.arange(steps)[None] > last[:, None]
    end = points[np.arange(len(points)), last]
    points = np.where(beyond[..., None], end[:, None], points)
    return points, np.where(beyond | (points[:, :, 1] < line[:, None]), 0, radii)


def _hanging(scene: _Scene, length: float, cut: float | None) -> _Style:
    rng, roots = scene.rng, scene.roots
    back = np.array([0, 0, -1.0]) * rng.uniform(0.2, 0.7)
    top = smoothstep(7.5, 8.0, scene.height)[:, None]
    direction = scene.side * 0.9 * top + back * top + scene.radial * (1 - top * 0.6)
    direction = direction + roots.normals * 0.35 + 0.25 * UP * top
    lengths = np.full(len(top), length)
    volume, aside, frequency = rng.uniform([0.06, 0.8, 2], [0.22, 1.4, 5])
    if rng.random() < 0.35:
        x, y, z = roots.rest.T
        fringe = (z > 0.95) & (np.abs(x) < 0.45) & (y < 8.3)
        forward = scene.radial + np.array([0, -0.1, 0.4]) + roots.normals * 0.3
        direction = np.where(fringe[:, None], forward, direction)
        lengths = np.where(fringe, rng.uniform(0.55, 0.8), lengths)
    return _Style(
        direction,
        lengths,
        steps=18,
        gravity=0.55,
        volume=volume,
        attraction=0.25,
        part_from_face=aside,
        wave=0.05 * scene.curl,
        frequency=frequency,
        cut=cut,
    )


def _long(scene: _Scene) -> _Style:
    return _hanging(scene, scene.rng.uniform(2.6, 4.2), None)


def _bob(scene: _Scene) -> _Style:
    return _hanging(scene, scene.rng.uniform(1.5, 2.2), scene.rng.uniform(6.0, 6.7))


def _pony(scene: _Scene) -> _Style:
    rng, roots, steps = scene.rng, scene.roots, 12
    tie = np.array([0, rng.uniform(7.5, 8.2), -0.72])
    direction = normalize(tie - roots.points) + roots.normals * 0.25
    inward = np.minimum(0, np.sum(direction * roots.normals, 1, keepdims=True))
    direction = direction - roots.normals * inward
    length = np.linalg.norm(tie - roots.points, axis=1) * 1.22

    t = np.linspace(0, 1, steps)[None, :, None]
    if rng.random() < 0.5:  # a bun
        first = normalize(rng.normal(size=(_TAIL_STRANDS, 1, 3)))
        second = normalize(np.cross(first, rng.normal(size=(_TAIL_STRANDS, 1, 3))))
        radius = rng.uniform(0.2, 0.33) * rng.uniform(0.85, 1, (_TAIL_STRANDS, 1, 1))
        tail = radius * (np.cos(3 * t) * first + np.sin(3 * t) * second)
        tail = tie + np.array([0, 0, -0.15]) + tail
    else:
        start = rng.normal(size=(_TAIL_STRANDS, 1, 3)) * 0.06
        fall, sway = rng.uniform(1.2, 2.4), rng.uniform(-0.4, 0.4)
        course = [
            sway * t,
            0.25 * np.sin(t * 2.5) - fall * t**1.4,
            -0.25 - 0.35 * np.sin(t * 2.2),
        ]
        tail = tie + start * (1 + 1.5 * np.sin(t * 2.6)) + np.concatenate(course, -1)
    strands = Strands(tail, np.full((_TAIL_STRANDS, steps), 0.008))
    return _Style(direction, length, steps=steps, gravity=0, volume=0.035, tie=tie, extra=[strands])


def _afro(scene: _Scene) -> _Style:
    rng = scene.rng
    direction = scene.roots.normals + 0.35 * rng.normal(size=scene.roots.normals.shape)
    length = rng.uniform(0.25, 0.85) * (1 + 0.1 * scene.coherent[:, 0])
    wave, frequency = rng.uniform([0.03, 5], [0.06, 9])
    return _Style(
        direction,
        length,
        steps=16,
        gravity=0,
        volume=0.02,
        wave=wave,
        frequency=frequency,
        phase_frequency=12,
    )


def _buzz(scene: _Scene) -> _Style:
    direction = scene.roots.normals * 0.8 + scene.radial * 0.8
    return _Style(direction, scene.rng.uniform(0.04, 0.10), steps=4, gravity=0, volume=0)


def _crop(scene: _Scene) -> _Style:
    direction = scene.roots.normals * 0.55 + scene.radial * 0.8 + scene.coherent * 0.25
    length = np.interp(scene.height, [7.3, 8.1], [0.10, scene.rng.uniform(0.22, 0.4)])
    return _Style(direction, length, steps=7, volume=0.03, attraction=0.15, wave=0.03 * scene.curl)


def _swept(scene: _Scene) -> _Style:
    rng = scene.rng
    direction = np.array([0, 0.15, -1.0]) + scene.side * rng.uniform(0.05, 0.4)
    direction = direction + scene.roots.normals * 0.35 + scene.coherent * 0.15
    length = np.interp(scene.height, [7.2, 7.9], [0.25, rng.uniform(0.8, 1.3)])
    volume = rng.uniform(0.06, 0.18)
    wave = 0.03 * scene.curl
    return _Style(direction, length, gravity=0.05, volume=volume, attraction=0.5, wave=wave)


def _fringe(scene: _Scene) -> _Style:
    rng = scene.rng
    forward = np.array([0, 0, 0.35]) * smoothstep(0.3, 0.9, scene.roots.rest[:, 2])[:, None]
    direction = scene.radial + scene.roots.normals * 0.2 + forward
    direction = direction + scene.side * 0.2 + scene.coherent * 0.2
    length = np.interp(scene.height, [7.2, 8.0], [0.35, rng.uniform(0.65, 1.0)])
    volume = rng.uniform(0.04, 0.10)
    wave = 0.04 * scene.curl
    return _Style(direction, length, gravity=0.2, volume=volume, attraction=0.4, wave=wave)


def _short(scene: _Scene) -> _Style:
    rng = scene.rng
    direction = scene.side * 0.8 + scene.roots.normals * 0.3 + scene.radial * 0.5
    direction = direction + np.array([0, 0.1, rng.uniform(-0.4, 0.2)]) + scene.coherent * 0.2
    length = np.interp(scene.height, [7.2, 7.9], [0.18, rng.uniform(0.5, 0.85)])
    volume = rng.uniform(0.05, 0.13)
    wave = 0.035 * scene.curl
    return _Style(direction, length, gravity=0.1, volume=volume, attraction=0.5, wave=wave)


_STYLES: dict[str, Callable[[_Scene], _Style]] = {
    "long": _long,
    "bob": _bob,
    "pony": _pony,
    "short": _short,
    "swept": _swept,
    "fringe": _fringe,
    "afro": _afro,
    "buzz": _buzz,
    "bald": _buzz,
    "crop": _crop,
}
