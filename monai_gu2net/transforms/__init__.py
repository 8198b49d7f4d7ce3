# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms from files to network input, and from heatmaps to landmarks."""

from __future__ import annotations

from monai_gu2net.transforms.affine import apply_affine, spatial_affine
from monai_gu2net.transforms.discs import LandmarksToDiscsd
from monai_gu2net.transforms.domain_choice import ChooseDomaind, MarkDomaind
from monai_gu2net.transforms.elastic import RandElasticLandmarksd
from monai_gu2net.transforms.heatmaps import decode_heatmaps, decode_probabilities, gaussian_heatmaps
from monai_gu2net.transforms.heatmaps_dict import HeatmapsToLandmarksd, LandmarksToHeatmapsd
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.load_landmarks import LoadLandmarksd
from monai_gu2net.transforms.mean_logits import mean_logits
from monai_gu2net.transforms.mirror import RandMirrorLandmarksd
from monai_gu2net.transforms.points import LandmarksToPointsd
from monai_gu2net.transforms.preprocessing import RadiographPreprocessing
from monai_gu2net.transforms.resize import FitToDomaind
from monai_gu2net.transforms.resolve_spacing import PhysicalSpaced, ScaleByPredictiond
from monai_gu2net.transforms.save import SaveLandmarksd
from monai_gu2net.transforms.spread import heatmap_spread, spread_in_world
from monai_gu2net.transforms.to_json import LandmarksToJsond
from monai_gu2net.transforms.upright import TurnUprightd

__all__ = [
    "ChooseDomaind",
    "FitToDomaind",
    "HeatmapsToLandmarksd",
    "LandmarksToDiscsd",
    "LandmarksToHeatmapsd",
    "LandmarksToJsond",
    "LandmarksToPointsd",
    "LoadLandmarksd",
    "LoadRadiographd",
    "MarkDomaind",
    "PhysicalSpaced",
    "RadiographPreprocessing",
    "RandElasticLandmarksd",
    "RandMirrorLandmarksd",
    "SaveLandmarksd",
    "ScaleByPredictiond",
    "TurnUprightd",
    "apply_affine",
    "decode_heatmaps",
    "decode_probabilities",
    "gaussian_heatmaps",
    "heatmap_spread",
    "mean_logits",
    "spatial_affine",
    "spread_in_world",
]
