# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .discs import LandmarksToDiscsd as LandmarksToDiscsd
from .domain_choice import ChooseDomaind as ChooseDomaind
from .domain_choice import MarkDomaind as MarkDomaind
from .elastic import RandElasticLandmarksd as RandElasticLandmarksd
from .found import Found as Found
from .heatmaps import decode_heatmaps as decode_heatmaps
from .heatmaps import gaussian_heatmaps as gaussian_heatmaps
from .heatmaps_dict import HeatmapsToLandmarksd as HeatmapsToLandmarksd
from .heatmaps_dict import LandmarksToHeatmapsd as LandmarksToHeatmapsd
from .load import LoadRadiographd as LoadRadiographd
from .load_landmarks import LoadLandmarksd as LoadLandmarksd
from .mean_logits import mean_logits as mean_logits
from .mean_shapes import with_mean_shapes as with_mean_shapes
from .mirror import RandMirrorLandmarksd as RandMirrorLandmarksd
from .points import LandmarksToPointsd as LandmarksToPointsd
from .pose import RandPosed as RandPosed
from .preprocessing import RadiographPreprocessing as RadiographPreprocessing
from .random_window import RandWindowd as RandWindowd
from .resize import FitToDomaind as FitToDomaind
from .resolve_spacing import PhysicalSpaced as PhysicalSpaced
from .resolve_spacing import ScaleByPredictiond as ScaleByPredictiond
from .save import SaveLandmarksd as SaveLandmarksd
from .tell_domain import TellDomaind as TellDomaind
from .to_json import LandmarksToJsond as LandmarksToJsond
from .upright import TurnUprightd as TurnUprightd
