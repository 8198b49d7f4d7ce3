# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .image_places import image_places as image_places
from .kinds import SOURCES as SOURCES
from .kinds import recognize_layout as recognize_layout
from .layouts import LAYOUTS as LAYOUTS
from .opening import cases_to_predict as cases_to_predict
from .opening import images_in as images_in
from .opening import open_data as open_data
from .reading import read_layout as read_layout
from .source import Annotation as Annotation
from .source import Entry as Entry
from .source import Source as Source
from .split import split_by_patient as split_by_patient
