# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks whose annotation is in doubt: nothing is learned from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_gu2net.data.domain import Domain

__all__ = ["without_doubtful"]


def without_doubtful(cases: Sequence[Mapping[str, Any]], domains: Mapping[str, Domain]) -> list[dict[str, Any]]:
    """The cases with None for the landmarks that they name under ``doubtful``, of each annotator as well.

    Args:
        cases: datalist cases.
        domains: by name.
    """
    return [_without(case, domains[case["domain"]].landmarks) for case in cases]


def _without(case: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    doubtful, made = case.get("doubtful", ()), dict(case)
    if not doubtful:
        return made

    def kept(points: Sequence[Any]) -> list[Any]:
        return [None if name in doubtful else point for name, point in zip(names, points, strict=True)]

    if made.get("landmarks") is not None:
        made["landmarks"] = kept(made["landmarks"])
    if "annotators" in made:
        made["annotators"] = {who: kept(points) for who, points in made["annotators"].items()}
    return made
