# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .labels import LABEL_EXTENSION as LABEL_EXTENSION
from .labels import LabelFrame as LabelFrame
from .labels import LabelRefusedError as LabelRefusedError
from .labels import check_label as check_label
from .labels import label_frame as label_frame
from .labels import labelled_data as labelled_data
from .labels import write_label as write_label
