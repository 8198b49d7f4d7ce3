# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes of a fetal head in its standard plane in ultrasound, from the ends of its two diameters.

The ends are those of the axes of an ellipse about the skull, so that both diameters go from outer to outer border. In
many clinics the biparietal diameter is measured from the outer to the inner one, which is shorter by a skull bone.
"""

from __future__ import annotations

from monai_gu2net.measurements.measurement import Measurement

__all__ = ["FETAL_HEAD"]

_OCCIPITOFRONTAL, _BIPARIETAL = ("ofd_a", "ofd_b"), ("bpd_a", "bpd_b")
_OUTER = "outer to outer border, as the axis of the ellipse about the skull"
_ELLIPSE = (
    "perimeter of the ellipse with these diameters for axes, as of the reference of the HC18 challenge (van den Heuvel "
    "et al., PLoS ONE 13 (2018) e0200412)"
)

# The terms are those of DICOM's context group 12005, fetal biometry.
FETAL_HEAD: tuple[Measurement, ...] = (
    Measurement(
        "biparietal diameter",
        "distance",
        _BIPARIETAL,
        source=_OUTER,
        code=("11820-8", "LN", "Biparietal Diameter"),
    ),
    Measurement(
        "occipitofrontal diameter",
        "distance",
        _OCCIPITOFRONTAL,
        source=_OUTER,
        code=("11851-3", "LN", "Occipital-Frontal Diameter"),
    ),
    Measurement(
        "head circumference",
        "ellipse_perimeter",
        (*_OCCIPITOFRONTAL, *_BIPARIETAL),
        source=_ELLIPSE,
        code=("11984-2", "LN", "Head Circumference"),
    ),
)
