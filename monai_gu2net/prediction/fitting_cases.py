# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The cases that a trained model is to be measured on, made to fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.outside import ALLOWED_OUTSIDE, cases_in_frame
from monai_gu2net.landmarks.anatomical_names import current_hand_names
from monai_gu2net.networks.model_card import ModelCard

__all__ = ["fitting_cases"]


def fitting_cases(
    card: ModelCard,
    data: Datalist,
    *,
    split: str,
    allow_outside: float = ALLOWED_OUTSIDE,
    mismatched: dict[str, str] | None = None,
) -> tuple[dict[str, Domain], list[dict[str, Any]]]:
    """The cases of a split as a model can be measured on them.

    Args:
        card: of the model.
        data: a domain of it must be one of the model's; domains that it lacks are left out. Its landmarks must be among
            the model's, in any order.
        split: "training", "validation", "test" or "all".
        allow_outside: share of a domain's landmarks that may lie outside of their images, see
            :func:`~monai_gu2net.data.cases_in_frame`.
        mismatched: gets the reason for each domain of the data that does not fit the model, whose cases are left out
            as long as another one fits; None: such a domain is an error.

    Returns:
        The domains, by name, and the cases. Landmarks, annotators' points among them, are those of the model in its
        order; one that the data lacks is absent, and so is one outside of its image. The domains are the data's with
        the model's landmarks, and with its input sizes, for it learned landmarks at that size; physical scale and
        measurements are the data's. The hand's landmarks may have the names of version 0.1.0 on either side.

    Raises:
        ValueError: the split is not known or empty, the data has a domain or a landmark that the model lacks, or too
            many landmarks lie outside of their images.
    """
    cases = data.cases(split)
    names: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    reasons: dict[str, str] = {}
    for name, domain in data.domains.items():
        learned = card.domains.get(name)
        if learned is None:
            reasons[name] = (
                f"The data's domain must be one of the model's {list(card.domains)}; got {name!r}. Name that of a "
                "folder with --domain, and that of a datalist within it."
            )
            continue
        same_hand = current_hand_names(domain.landmarks) == current_hand_names(learned.landmarks)
        given = learned.landmarks if same_hand else domain.landmarks
        strange = [landmark for landmark in given if landmark not in learned.landmarks]
        if strange:
            reasons[name] = (
                f"Landmarks of domain {name!r} must be among the model's {list(learned.landmarks)}; got {strange}. "
                "Rename them in the data, or take them out."
            )
            continue
        names[name] = (given, learned.landmarks)
    if reasons and (mismatched is None or not names):
        raise ValueError(next(iter(reasons.values())))
    if mismatched is not None:
        mismatched.update(reasons)
    cases = [case for case in cases if case["domain"] in names]
    if not cases:
        raise ValueError(f"Split {split!r} of {data.name!r} must have cases; got none. Choose another split.")
    cases = cases_in_frame(cases, data.domains, allow_outside=allow_outside)
    domains = {
        name: replace(data.domains[name], landmarks=wanted, **card.domains[name].view)
        for name, (_, wanted) in names.items()
    }
    return domains, [_renumbered(case, *names[case["domain"]]) for case in cases]


def _renumbered(case: Mapping[str, Any], names: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """The case with its points in the order of the wanted names, None for those that are not there."""

    def reordered(points: Sequence[Any]) -> list[Any]:
        by_name = dict(zip(names, points, strict=True))
        return [by_name.get(name) for name in wanted]

    made = dict(case)
    if names == wanted:
        return made
    if case.get("landmarks") is not None:
        made["landmarks"] = reordered(case["landmarks"])
    if "annotators" in case:
        made["annotators"] = {who: reordered(points) for who, points in case["annotators"].items()}
    return made
