# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which labelled images train and which validate, over many trainings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["drawn_splits"]


def drawn_splits(cases: Sequence[Mapping[str, Any]], *, share: float, earlier: Mapping[str, str]) -> dict[str, str]:
    """The split of each case: the one it has, and for the cases of new patients one that is drawn.

    Args:
        cases: each with ``case`` and ``patient``; of at least two patients.
        share: of the patients that validate, above 0 and below 1.
        earlier: "training" or "validation" by case, of earlier draws.

    Returns:
        ``earlier``, with the new cases. New patients are taken in the order of a hash of their name, and validate as
        long as fewer than their share do; one at least validates and one trains, where the earlier ones allow it.

    Example:
        >>> two = [{"case": "a", "patient": "a"}, {"case": "b", "patient": "b"}]
        >>> sorted(drawn_splits(two, share=0.1, earlier={}).values())
        ['training', 'validation']
    """
    of_patient = {str(case["patient"]): earlier[case["case"]] for case in cases if case["case"] in earlier}
    new = {str(case["patient"]) for case in cases} - of_patient.keys()
    wanted = max(1, round(share * (len(of_patient) + len(new))))
    for patient in sorted(new, key=lambda name: hashlib.sha256(name.encode()).digest()):
        validating = sum(split == "validation" for split in of_patient.values())
        of_patient[patient] = "validation" if validating < wanted else "training"
    return {**earlier, **{case["case"]: of_patient[str(case["patient"])] for case in cases}}
