# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .coordinates import apply_affine as apply_affine
from .coordinates import image_plane_affine as image_plane_affine
from .coordinates import index_to_mm as index_to_mm
from .coordinates import mm_to_index as mm_to_index
from .coordinates import spatial_affine as spatial_affine
from .coordinates import voxel_lengths as voxel_lengths
from .coordinates import world_to_lps as world_to_lps
from .formats import read_landmarks as read_landmarks
from .formats import write_landmarks as write_landmarks
from .implausible import implausible_landmarks as implausible_landmarks
from .landmark_set import LandmarkSet as LandmarkSet
from .mirror_pairs import mirror_pairs as mirror_pairs
from .shape import Pose as Pose
from .shape import mean_shape as mean_shape
from .shape import pose_of as pose_of
