# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a case's image by what kind of file it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.data import ImageReader, ITKReader, NibabelReader
from monai.transforms import LoadImage, MapTransform

from monai_gu2net.data.reader import RadiographReader

__all__ = ["LoadRadiographd"]

_VOLUMES = (".nrrd", ".mha", ".mhd")


class LoadRadiographd(MapTransform):
    """Loads the image as a (C, *spatial) float32 MetaTensor, width first.

    Pictures (PNG, JPEG, BMP, TIFF) come through :class:`RadiographReader`, NIfTI through nibabel, NRRD and MetaImage
    through ITK. MONAI's LoadImage tries reader after reader and hides what each of them says, so the one that fits is
    named here.

    Args:
        keys: the image's file.

    Raises:
        FileNotFoundError, ValueError: the file is not there, of no known kind or broken; the message names it.
    """

    def __init__(self, keys: KeysCollection = "image") -> None:
        super().__init__(keys)
        self._load = LoadImage(image_only=True, ensure_channel_first=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            path = Path(sample[key])
            if not path.is_file():
                raise FileNotFoundError(f"The image must be a file; got {str(path)!r}, which is not there. Correct the path.")
            sample[key] = self._load(path, reader=_reader(path))
        return sample


def _reader(path: Path) -> ImageReader:
    name = path.name.lower()
    pictures = RadiographReader()
    if pictures.verify_suffix(name):
        return pictures
    if name.endswith((".nii", ".nii.gz")):
        return NibabelReader()
    if name.endswith(_VOLUMES):
        return ITKReader()
    raise ValueError(
        f"{path.name} must be PNG, JPEG, BMP, TIFF, NIfTI, NRRD or MetaImage by its ending; got {path.suffix or 'none'!r}. "
        "Convert it first, and give its spacing in the datalist."
    )
