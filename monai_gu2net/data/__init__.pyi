# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .case_dataset import CaseDataset as CaseDataset
from .case_names import case_names as case_names
from .case_names import image_name as image_name
from .datalist import SPLITS as SPLITS
from .datalist import Datalist as Datalist
from .domain import Domain as Domain
from .domain import ReferenceLength as ReferenceLength
from .domain import spatial_dims_of as spatial_dims_of
from .doubtful import without_doubtful as without_doubtful
from .of_domains import as_setting as as_setting
from .of_domains import of_domains as of_domains
from .outside import ALLOWED_OUTSIDE as ALLOWED_OUTSIDE
from .outside import cases_in_frame as cases_in_frame
from .outside import datalist_in_frame as datalist_in_frame
from .outside import outside_landmarks as outside_landmarks
from .reader import RadiographReader as RadiographReader
from .reader import is_image as is_image
from .sampler import DomainBatchSampler as DomainBatchSampler
from .sampler import cases_of_replica as cases_of_replica
from .spacing_source import SPACING_SOURCES as SPACING_SOURCES
from .spacing_source import case_spacing as case_spacing
from .spacing_source import checked_sources as checked_sources
from .spacing_source import reference_length_spacing as reference_length_spacing
