# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a case's image by what kind of file it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import ImageReader, ITKReader, MetaTensor, NibabelReader
from monai.data.utils import to_affine_nd
from monai.transforms import EnsureChannelFirst, MapTransform

from monai_gu2net.data.reader import NIFTI, VOLUMES, RadiographReader
from monai_gu2net.transforms.heatmaps import plain_tensor

__all__ = ["LoadRadiographd"]


class LoadRadiographd(MapTransform):
    """Loads the image as a (C, *spatial) float32 MetaTensor, width first.

    Pictures (PNG, JPEG, BMP, TIFF) come through :class:`RadiographReader`, NIfTI through nibabel, NRRD and
    MetaImage through ITK. MONAI's LoadImage tries reader after reader and hides what each of them says, so
    the one that fits is called here. Of the metadata only the affine is kept, so that no patient's name
    travels with the image.

    Args:
        keys: the image's file.

    Raises:
        FileNotFoundError, ValueError: the file is not there, of no known kind or broken; the message names
        it.
    """

    def __init__(self, keys: KeysCollection = "image") -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            path = Path(sample[key])
            if not path.is_file():
                raise FileNotFoundError(
                    f"The image must be a file; got {str(path)!r}, which is not there. Correct the path."
                )
            reader = _reader(path)
            try:
                array, meta = reader.get_data(reader.read(str(path)))
            except Exception as error:  # what a reader raises on a broken file differs between libraries
                if str(error).startswith(path.name):
                    raise
                raise ValueError(f"{path.name} must be a whole image; got {error}. Export it again.") from error
            image = EnsureChannelFirst()(torch.as_tensor(array, dtype=torch.float32), meta)
            sample[key] = MetaTensor(plain_tensor(image), affine=to_affine_nd(3, meta["affine"]))
        return sample


def _reader(path: Path) -> ImageReader:
    name = path.name.lower()
    pictures = RadiographReader()
    if pictures.verify_suffix(name):
        return pictures
    if name.endswith(NIFTI):
        return NibabelReader()
    if name.endswith(VOLUMES):
        return ITKReader()
    raise ValueError(
        f"{path.name} must be PNG, JPEG, BMP, TIFF, NIfTI, NRRD or MetaImage by its ending; got "
        f"{path.suffix or 'none'!r}. "
        "Convert it first, and give its spacing in the datalist."
    )
