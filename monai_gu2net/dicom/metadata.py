# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of a header: technical facts, and no identity."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from monai_gu2net.dicom.orientation import orientation_of

__all__ = ["metadata_of"]

_MODALITIES = frozenset(
    {
        "CR",
        "CT",
        "DX",
        "ES",
        "GM",
        "IO",
        "IVUS",
        "MG",
        "MR",
        "NM",
        "OT",
        "PT",
        "PX",
        "RF",
        "RG",
        "SC",
        "SM",
        "US",
        "XA",
        "XC",
    }
)
_VIEWS = frozenset(
    {
        "AP",
        "PA",
        "LL",
        "RL",
        "RLD",
        "LLD",
        "RLO",
        "LLO",
        "ML",
        "MLO",
        "CC",
        "LM",
        "LMO",
        "FB",
        "SIO",
        "XCC",
        "XCCL",
        "XCCM",
        "LMLO",
        "ISO",
        "LATERAL",
        "LAT",
        "OBL",
        "AXIAL",
    }
)
_LATERALITIES = frozenset({"R", "L", "U", "B"})
_PHOTOMETRICS = frozenset(
    {
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_PARTIAL_420",
        "YBR_ICT",
        "YBR_RCT",
        "PALETTE COLOR",
    }
)
_BODY_PART = re.compile(r"[A-Z0-9 ]{1,16}")
_UID = re.compile(r"[0-9.]{1,64}")


def metadata_of(header: Dataset) -> dict[str, str | int | float]:
    """The technical facts of a header, and no identity.

    A text is kept only where it is one of the standard's terms, or has the form of one; a fact that is not
    there or breaks the rule is left out.

    Args:
        header: as :func:`monai_gu2net.dicom.read_header` gives it.

    Returns:
        Of ``modality``, ``body_part``, ``view``, ``laterality``, ``patient_orientation``, ``rows``, ``columns``,
        ``bits_stored``, ``photometric_interpretation``, ``transfer_syntax``, ``sop_class_uid`` and
        ``sop_instance_uid`` those that are known.

    Source: DICOM PS3.3, C.7.3.1 (modality), C.8.1.1 (view), C.7.6.3 (image pixel); the UIDs name the image and
    are what results are matched by.
    """
    found: dict[str, str | int | float] = {}
    for key, value in (
        ("modality", _term(header, "Modality", _MODALITIES)),
        ("body_part", _formed(header, "BodyPartExamined", _BODY_PART)),
        ("view", _term(header, "ViewPosition", _VIEWS)),
        ("laterality", _term(header, "ImageLaterality", _LATERALITIES) or _term(header, "Laterality", _LATERALITIES)),
        ("patient_orientation", orientation_of(header)),
        ("photometric_interpretation", _term(header, "PhotometricInterpretation", _PHOTOMETRICS)),
        ("transfer_syntax", _formed(header.file_meta, "TransferSyntaxUID", _UID)),
        ("sop_class_uid", _formed(header, "SOPClassUID", _UID)),
        ("sop_instance_uid", _formed(header, "SOPInstanceUID", _UID)),
    ):
        if value:
            found[key] = value
    for key, keyword in (("rows", "Rows"), ("columns", "Columns"), ("bits_stored", "BitsStored")):
        number = header.get(keyword)
        if isinstance(number, int):
            found[key] = int(number)
    return found


def _term(header: Dataset, keyword: str, terms: frozenset[str]) -> str:
    text = str(header.get(keyword) or "").strip()
    return text if text in terms else ""


def _formed(header: Dataset, keyword: str, form: re.Pattern[str]) -> str:
    text = str(header.get(keyword) or "").strip()
    return text if form.fullmatch(text) else ""
