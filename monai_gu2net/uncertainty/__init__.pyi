# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .appearance import Appearance as Appearance
from .appearance import fit_appearance as fit_appearance
from .appearance import most_like as most_like
from .conformal import LEVELS as LEVELS
from .conformal import RADIUS_LEVEL as RADIUS_LEVEL
from .conformal import Calibration as Calibration
from .conformal import calibrate as calibrate
from .conformal import conformal_quantile as conformal_quantile
from .spread import heatmap_spread as heatmap_spread
from .spread import pixels_per_unit as pixels_per_unit
from .spread import spread_in_world as spread_in_world
