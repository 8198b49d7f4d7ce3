# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .aasce import AASCE_ANGLES as AASCE_ANGLES
from .aasce import AASCE_SOURCE as AASCE_SOURCE
from .aasce import aasce_angles as aasce_angles
from .cephalometry import CEPHALOMETRY as CEPHALOMETRY
from .chest import CHEST as CHEST
from .classes import CHALLENGE_CLASSES as CHALLENGE_CLASSES
from .classes import ChallengeClass as ChallengeClass
from .classes import ClassAgreement as ClassAgreement
from .classes import class_agreement as class_agreement
from .classes import classify as classify
from .declaration import default_measurements as default_measurements
from .declaration import measurement_to_dict as measurement_to_dict
from .declaration import read_measurements as read_measurements
from .fetal_head import FETAL_HEAD as FETAL_HEAD
from .measurement import Measured as Measured
from .measurement import Measurement as Measurement
from .measurement import measure as measure
from .measurement import standard_deviation as standard_deviation
from .spine import SPINE as SPINE
from .spine import CobbAngle as CobbAngle
