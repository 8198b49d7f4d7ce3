# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .label_frame import LabelFrame as LabelFrame
from .label_frame import label_frame as label_frame
from .labels import LabelRefusedError as LabelRefusedError
from .labels import check_label as check_label
from .labels import write_label as write_label
