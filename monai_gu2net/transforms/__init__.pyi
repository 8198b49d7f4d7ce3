# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .affine import apply_affine as apply_affine
from .affine import spatial_affine as spatial_affine
from .discs import LandmarksToDiscsd as LandmarksToDiscsd
from .domain_choice import ChooseDomaind as ChooseDomaind
from .domain_choice import MarkDomaind as MarkDomaind
from .elastic import RandElasticLandmarksd as RandElasticLandmarksd
from .heatmaps import decode_heatmaps as decode_heatmaps
from .heatmaps import decode_probabilities as decode_probabilities
from .heatmaps import gaussian_heatmaps as gaussian_heatmaps
from .heatmaps_dict import HeatmapsToLandmarksd as HeatmapsToLandmarksd
from .heatmaps_dict import LandmarksToHeatmapsd as LandmarksToHeatmapsd
from .load import LoadRadiographd as LoadRadiographd
from .load_landmarks import LoadLandmarksd as LoadLandmarksd
from .mean_logits import mean_logits as mean_logits
from .mirror import RandMirrorLandmarksd as RandMirrorLandmarksd
from .points import LandmarksToPointsd as LandmarksToPointsd
from .preprocessing import RadiographPreprocessing as RadiographPreprocessing
from .reply import LandmarksToReplyd as LandmarksToReplyd
from .resize import FitToDomaind as FitToDomaind
from .resolve_spacing import PhysicalSpaced as PhysicalSpaced
from .resolve_spacing import ScaleByPredictiond as ScaleByPredictiond
from .save import SaveLandmarksd as SaveLandmarksd
from .spread import heatmap_spread as heatmap_spread
from .spread import spread_in_world as spread_in_world
from .upright import TurnUprightd as TurnUprightd
