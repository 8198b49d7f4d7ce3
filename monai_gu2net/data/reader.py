# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radiographs kept as ordinary pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["NIFTI", "PICTURES", "VOLUMES", "RadiographReader", "is_image"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
NIFTI = (".nii", ".nii.gz")
VOLUMES = (".nrrd", ".mha", ".mhd")
_GREY = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L"}


class RadiographReader(ImageReader):
    """Reads PNG, JPEG, BMP and TIFF as one grey channel, width first, upright as a viewer shows it.

    Unlike MONAI's PILReader it honours the EXIF rotation and always gives one channel: 16 bits of grey are
    kept, colour is turned to luminance (ITU-R 601-2), transparency is laid on black. Resolution tags (dpi)
    are not physical spacing of the patient and are not used: the affine is the identity.

    Raises (from :meth:`read`):
        ValueError: a file is not a picture; the message names it.
    """

    def verify_suffix(self, filename: Sequence[Any] | Any) -> bool:
        """Whether all files end as pictures do."""
        return all(str(name).lower().endswith(PICTURES) for name in ensure_tuple(filename))

    def read(self, data: Sequence[Any] | Any, **kwargs: Any) -> Image.Image:  # the base class's signature
        """Open one file; more than one is refused, for a radiograph is one picture."""
        names = ensure_tuple(data)
        if len(names) != 1:
            raise ValueError(f"A radiograph must be one file; got {len(names)}. Give one file per case.")
        path = Path(names[0])
        try:
            with Image.open(path) as image:
                frames = getattr(image, "n_frames", 1)
                if frames != 1:
                    raise ValueError(f"{path.name} must hold one picture; got {frames}. Save one of them.")
                image.load()
                return ImageOps.exif_transpose(image)
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"{path.name} must be a whole picture; got {error}. Export it again.") from error

    def get_data(self, img: Image.Image) -> tuple[np.ndarray, dict[str, Any]]:
        """The picture as (W, H) float32, and its metadata for MONAI's LoadImage."""
        has_transparency = img.mode in ("L", "P", "RGB") and "transparency" in img.info
        if img.mode in ("RGBA", "LA", "PA") or has_transparency:
            rgba = img.convert("RGBA")
            img = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
        if img.mode not in _GREY:
            img = img.convert("L")
        array = np.asarray(img, dtype=np.float32).T
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: np.eye(4),
            MetaKeys.ORIGINAL_AFFINE: np.eye(4),
            MetaKeys.SPATIAL_SHAPE: np.array(array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.SPACE: SpaceKeys.LPS,
        }
        return np.ascontiguousarray(array), meta


def is_image(path: Path) -> bool:
    """Whether the file's ending is that of an image this package reads, a picture or a volume."""
    return path.is_file() and path.name.lower().endswith((*PICTURES, *NIFTI, *VOLUMES))
