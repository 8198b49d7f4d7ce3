# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Splitting cases for training, validation and test so that no patient stands in two parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

__all__ = ["Case", "Splits", "split_by_patient", "split_dataset"]

Case = dict[str, Any]
Splits = dict[str, list[Case]]

_DRAWN_TEST, _DRAWN_VALIDATION = 0.2, 0.1


def split_by_patient(
    cases: Sequence[Case], *, validation: int | float = 0, test: int | float = 0, seed: int = 0
) -> Splits:
    """Draw whole patients for validation and test; all others train.

    The draw orders the patients by a hash of seed and patient, so it depends on no generator, and more
    patients do not reshuffle the others.

    Args:
        cases: cases with ``domain``, ``case`` and, where there are several of one patient, ``patient``.
        validation: a count (int) or a fraction (float) of all patients.
        test: a count (int) or a fraction (float) of all patients.
        seed: another one gives another draw.

    Returns:
        ``{"training": [...], "validation": [...], "test": [...]}``, each in the order of ``cases``. A
        fraction above 0 gives at least one patient if there is one to spare after training and, for
        validation, test.

    Raises:
        ValueError: a fraction is not in [0, 1), a count is negative, or nobody is left to train on.

    Example:
        >>> cases = [{"domain": "head", "case": str(n)} for n in range(10)]
        >>> {part: len(of) for part, of in split_by_patient(cases, validation=1, test=0.2).items()}
        {'training': 7, 'validation': 1, 'test': 2}
    """
    patients = sorted(
        {_patient(case) for case in cases},
        key=lambda patient: hashlib.sha256("\0".join((str(seed), *patient)).encode()).digest(),
    )
    test_count, validation_count = _counts(len(patients), test=test, validation=validation)
    part = dict.fromkeys(patients, "training")
    part |= dict.fromkeys(patients[:test_count], "test")
    part |= dict.fromkeys(patients[test_count : test_count + validation_count], "validation")
    splits: Splits = {"training": [], "validation": [], "test": []}
    for case in cases:
        splits[part[_patient(case)]].append(case)
    return splits


def split_dataset(
    cases: Sequence[Case],
    *,
    training_share: float | None = None,
    test: int | float | None = None,
    validation: int | float | None = None,
    seed: int = 0,
    drawn: bool = False,
) -> Splits:
    """Splits of a dataset: its test part at the end of its order, or drawn by patient; validation drawn.

    Args:
        cases: all cases, in order.
        training_share: share of the cases, from the start, that trains, as the paper splits the hand and the chest
            radiographs, each of one patient; None: there is no such order, and patients are drawn.
        test: a count (int) or a fraction (float) for the test part: of the cases, from the end of the order, or of the
            patients. By default what does not train, or 0.2.
        validation: a count (int) or a fraction (float) of the patients, outside of the test part where that is not
            drawn. By default none where there is an order, else 0.1.
        seed: of the draws.
        drawn: draw the test part by patient in spite of the order, whose end may be of another kind than its start.

    Raises:
        ValueError: nobody is left to train on.
    """
    if validation is None:
        validation = _DRAWN_VALIDATION if training_share is None else 0
    if drawn or training_share is None:
        share = _DRAWN_TEST if training_share is None else 1 - training_share
        return split_by_patient(cases, validation=validation, test=share if test is None else test, seed=seed)
    trained = max(1, round(training_share * len(cases)))
    if test is not None:
        trained = len(cases) - _count("test", test, len(cases), len(cases) - 1)
    return split_by_patient(cases[:trained], validation=validation, seed=seed) | {"test": list(cases[trained:])}


def _patient(case: Case) -> tuple[str, str]:
    """Domain and patient; without a patient the case is one."""
    return str(case.get("domain", "")), str(case.get("patient", case["case"]))


def _counts(total: int, *, test: int | float, validation: int | float) -> tuple[int, int]:
    """Numbers of patients for test and validation that leave at least one to train on."""
    if isinstance(test, float) and isinstance(validation, float) and test + validation >= 1:
        raise ValueError(f"test and validation must sum to less than 1; got {test} and {validation}. Lower them.")
    one_if_enough = int(validation > 0 and total > 2)
    reserved = one_if_enough if isinstance(validation, float) else validation
    test_count = _count("test", test, total, total - 1 - reserved)
    return test_count, _count("validation", validation, total, total - 1 - test_count)


def _count(part: str, wanted: int | float, total: int, spare: int) -> int:
    """The number of patients that a count or a fraction of all asks for."""
    if isinstance(wanted, float):
        if not 0 <= wanted < 1:
            raise ValueError(f"{part} must be a fraction in [0, 1) or a whole count; got {wanted}. Correct it.")
        return max(0, min(max(1, round(wanted * total)), spare)) if wanted else 0
    if wanted < 0 or wanted > max(0, spare):
        raise ValueError(
            f"{part} must be a count that leaves a patient to train on; got {wanted} of {total} patients. Lower it."
        )
    return wanted
