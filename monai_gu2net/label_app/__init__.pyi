# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .labels import LabelFrame as LabelFrame
from .labels import LabelRefusedError as LabelRefusedError
from .labels import check_label as check_label
from .labels import label_frame as label_frame
from .labels import write_label as write_label
