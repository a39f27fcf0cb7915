"""How far apart two colours are for readers with and without colour blindness.

Colour blindness is simulated as by Machado, Oliveira and Fernandes (2009) at full severity; distances are those of
CIELAB (CIE 1976), where 2.3 can just be told apart.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Triple = npt.NDArray[np.float64]

SIGHTS: Final[dict[str, Triple]] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_XYZ: Final = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])


def distance(one: str, other: str, sight: str) -> float:
    """The distance of two colours (``#rrggbb``) in CIELAB, as ``sight`` (a key of `SIGHTS`) sees them."""
    return float(np.linalg.norm(_lab(SIGHTS[sight] @ _linear(one)) - _lab(SIGHTS[sight] @ _linear(other))))


def _linear(colour: str) -> Triple:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def _lab(linear: Triple) -> Triple:
    xyz = _XYZ @ np.clip(linear, 0, 1) / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
