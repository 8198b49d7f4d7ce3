# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .any_file import FORMATS as FORMATS
from .any_file import read_landmarks as read_landmarks
from .any_file import write_landmarks as write_landmarks
from .coco_json import CocoImage as CocoImage
from .coco_json import read_coco as read_coco
from .coco_json import write_coco as write_coco
from .fiducial_csv import FIDUCIALS_EXTENSION as FIDUCIALS_EXTENSION
from .fiducial_csv import read_fiducial_csv as read_fiducial_csv
from .fraction_txt import read_fraction_txt as read_fraction_txt
from .isbi_txt import read_isbi_txt as read_isbi_txt
from .landmark_json import read_landmark_json as read_landmark_json
from .landmark_json import write_landmark_json as write_landmark_json
from .markups_json import MARKUPS_EXTENSION as MARKUPS_EXTENSION
from .markups_json import read_markups as read_markups
from .markups_json import write_markups as write_markups
from .parsing import LandmarkTable as LandmarkTable
from .payer_csv import read_payer_csv as read_payer_csv
from .table_columns import POINTS as POINTS
from .table_columns import PointsFrame as PointsFrame
from .table_csv import TableRow as TableRow
from .table_csv import TableRows as TableRows
from .table_csv import read_table as read_table
from .table_csv import write_table as write_table
