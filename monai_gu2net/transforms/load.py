# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a case's image, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.data.reader import RadiographReader
from monai_gu2net.transforms.heatmaps import plain_tensor

__all__ = ["LoadRadiographd"]

_RGB = 3


class LoadRadiographd(MapTransform):
    """Loads the image as a (C, *spatial) float32 MetaTensor, width first, through :class:`RadiographReader`.

    Of the metadata only the affine is kept, so that no patient's name travels with the image. Beside the image of the
    key "image" the sample gets ``image_file``, its path, ``file_spacing_source``, which
    :class:`~monai_gu2net.transforms.PhysicalSpaced` uses up, and ``file_orientation``, which
    :class:`~monai_gu2net.transforms.TurnUprightd` uses up.

    Where the sample's domain has three channels, pictures come in colour, and images of two axes and one channel, grey
    pictures among them, are repeated into three. Elsewhere colour becomes luminance, one channel.

    Args:
        keys: the image's file, or the folder of a DICOM series.
        domains: by name, of which the sample's ``domain`` picks one; None: every image is of one channel.

    Raises:
        FileNotFoundError, ValueError: the file is not there, of no known kind or broken; the message names
        it.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        domains: Mapping[str, Domain] | None = None,
    ) -> None:
        super().__init__(keys)
        self.domains = dict(domains or {})
        self.reader = RadiographReader()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains.get(sample.get("domain", ""))
        rgb = domain is not None and domain.in_channels == _RGB
        for key in self.key_iterator(sample):
            path = Path(sample[key])
            if not path.exists():
                raise FileNotFoundError(
                    f"The image must be a file; got {path.name!r}, which is not there. Correct the path."
                )
            array, meta = self.reader.get_data(self.reader.read(path), rgb=rgb)
            image = EnsureChannelFirst()(torch.as_tensor(array), meta)
            sample[key] = MetaTensor(plain_tensor(image), affine=torch.as_tensor(meta["affine"]))
            sample |= {f"{key}_file": str(path), "file_spacing_source": meta["spacing_source"]}
            sample["file_orientation"] = meta.get("patient_orientation", ""), meta.get("body_part", "")
        return sample
