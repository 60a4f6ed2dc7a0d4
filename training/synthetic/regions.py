"""Part labels of the head's surface, drawn once in template space and so exact for everyone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.synthetic.maths import smoothstep

_SCALP_CENTER_Z = 0.3
# Azimuth round the scalp's centre (0 in front), and the hairline's height there.
_HAIRLINE_AZIMUTH = (0, 0.30, 0.58, 0.80, 0.98, 1.12, 1.32, 1.75, 2.4, 3.2)


class Regions:
    """Soft masks (V,) in 0..1 on the body's vertices.

    Attributes:
        x, y, z: template coordinates; side: |x|.
        lips, mouth_inside, ears, lids: from the UV masks.
        nose, neck: drawn here.
        mouth: hard mask of lips and inner mouth.
    """

    def __init__(self, rest: np.ndarray, masks: Mapping[str, np.ndarray], nose_support: np.ndarray):
        self.rest = rest
        self.x, self.y, self.z = x, y, z = rest.T
        self.side = side = np.abs(x)
        self.lips = masks["lips"]
        self.mouth_inside = masks["inside-mouth"]
        self.ears = masks["ears"]
        self.lids = masks["eyelids"]
        self.mouth = (np.clip(self.lips + self.mouth_inside * (z > 0.5), 0, 1) > 0.5).astype(float)

        half_width = np.interp(
            y,
            [6.83, 6.87, 6.93, 7.02, 7.10, 7.20, 7.32, 7.36],
            [0.05, 0.16, 0.215, 0.20, 0.15, 0.11, 0.09, 0.02],
        )
        nose = smoothstep(0.03, -0.03, side - half_width) * ((y > 6.84) & (y < 7.37) & (z > 1.1))
        self.nose = nose * smoothstep(0.05, 0.25, nose_support)

        jaw = np.interp(
            z,
            [0.35, 0.62, 0.9, 1.15, 1.30, 1.42, 1.6],
            [6.85, 6.62, 6.40, 6.24, 6.165, 6.14, 6.14],
        )
        nape = smoothstep(7.0, 6.9, y) * (self.ears < 0.3)
        self.neck = np.where(z < 0.45, nape, smoothstep(0.02, -0.02, y - jaw))

        self.azimuth = np.arctan2(side, z - _SCALP_CENTER_Z)
        # Strands bounce off the skull, not off the ears: they would stand away from them.
        beside_ear = (side > 0.67) & (y > 6.75) & (y < 7.45) & (z > 0.2) & (z < 0.8)
        self.collides = ~((self.ears > 0.05) | beside_ear)

    def hairline(self, recession: float, front: float, side: float) -> np.ndarray:
        """Height of the hairline at every vertex's azimuth; ``recession`` clears the temples."""
        heights = (
            7.99 + front,
            7.99 + front + 0.6 * recession,
            7.86 + front * 0.6 + recession * 0.8,
            7.60,
            7.28 + side,
            7.30,
            7.40,
            7.02,
            6.80,
            6.72,
        )
        return np.interp(self.azimuth, _HAIRLINE_AZIMUTH, heights)

    def beard_zones(self) -> dict[str, np.ndarray]:
        """Where a full beard, a moustache and a goatee grow."""
        y, z, side = self.y, self.z, self.side
        cheek_line = np.interp(z, [0.5, 0.75, 1.1, 1.35, 1.6], [7.2, 7.0, 6.78, 6.66, 6.62])
        full = smoothstep(0.06, -0.06, y - cheek_line) * smoothstep(5.95, 6.05, y)
        full = full * (z > 0.55) * smoothstep(0, 0.12, z - 0.62)
        full = full * np.where((y < 6.15) & (z < 1.15), smoothstep(5.9, 6.15, y), 1)
        moustache = smoothstep(0.03, -0.02, np.abs(y - 6.77) - 0.05)
        moustache = moustache * smoothstep(0.36, 0.28, side) * (z > 1.25)
        chin = smoothstep(0.30, 0.22, side) * smoothstep(6.52, 6.46, y) * (z > 1.1)
        beside_lip = smoothstep(0.12, 0.04, np.abs(y - 6.47)) * smoothstep(0.12, 0.2, side)
        beside_lip = 1 - 0.7 * beside_lip * smoothstep(0.35, 0.25, side)
        free = (1 - self.lips) * (1 - self.mouth_inside) * (self.ears < 0.3) * (self.nose < 0.5)
        everywhere = np.maximum(full, moustache)
        return {
            "full": everywhere * free,
            "short": everywhere * free * beside_lip,
            "stubble": everywhere * free * beside_lip,
            "goatee": np.maximum(chin, moustache) * free * beside_lip,
            "moustache": moustache * free * beside_lip,
        }

    def gaussian(self, side: float, height: float, width: float) -> np.ndarray:
        """A blob on either side of the face's front at (±side, height)."""
        distance = (self.side - side) ** 2 + (self.y - height) ** 2
        return np.exp(-distance / width**2) * (self.z > 0.7)
