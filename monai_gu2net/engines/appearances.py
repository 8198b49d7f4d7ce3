# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Learning what the images of a model's domains look like."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ignite import distributed
from numpy.typing import NDArray

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.metrics.gathering import gather
from monai_gu2net.networks.checkpoint import save_appearance
from monai_gu2net.networks.model_card import ModelCard
from monai_gu2net.prediction.failures import Failures
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.transforms.picture_features import FEATURE_WEIGHTS, changed_versions, picture_features
from monai_gu2net.transforms.tell_domain import upright_picture
from monai_gu2net.uncertainty.appearance import FEWEST, fit_appearance

__all__ = ["fit_appearances"]

_log = logging.getLogger(__name__)
_MOST = 500  # images of a domain, more of which say nothing new


def fit_appearances(
    checkpoint: str | os.PathLike[str],
    data: Datalist,
    *,
    split: str = "training",
    output: str | os.PathLike[str] | None = None,
    on_case: Callable[[int], None] = lambda count: None,
) -> tuple[Path, list[dict[str, str]]]:
    """Write into a model's card what the images of its domains look like, by which an image's domain is told.

    The images alone count, and neither landmarks nor weights. The processes of a distributed run share them; every one
    must call it, and the first writes. Domains of volumes, and those with fewer than four images that can be read, keep
    the appearance that the card has of them; the latter are named in a warning.

    Args:
        checkpoint: a model of the data's domains; others are passed over.
        data: with images of one split, evenly chosen where there are more than 500 of a domain.
        split: "training", "validation", "test" or "all".
        output: the checkpoint to write; by default the model's own file.
        on_case: called with the number of this process's images looked at, after each.

    Returns:
        The checkpoint written, whole or not at all, and the cases that could not be read: ``case``, ``domain`` and
        ``reason``.

    Raises:
        FileNotFoundError, ValueError: there is no such checkpoint, or no such split.
    """
    known = ModelCard.load(checkpoint).domains
    flat = [name for name in data.domains if name in known and len(known[name].size) == 2]
    cases = [case for name in flat for case in _some([c for c in data.cases(split) if c["domain"] == name])]
    rank, processes = distributed.get_rank(), distributed.get_world_size()
    load, failures = LoadRadiographd("image"), Failures()
    looked: list[tuple[str, str, NDArray[np.float64]]] = []
    for count, case in enumerate(cases[rank::processes], start=1):
        with failures.of(case, "left out"):
            picture = upright_picture(load({"image": case["image"]}))
            features = np.stack([picture_features(version) for version in changed_versions(picture)])
            looked.append((case["domain"], case.get("patient") or case["case"], features))
        on_case(count)
    parts = gather((looked, list(failures)))
    appearance = {}
    for name in flat:
        own = sorted((of, lines.tolist()) for part, _ in parts for domain, of, lines in part if domain == name)
        patients = [of for of, lines in own for _ in lines]
        if len(set(patients)) < FEWEST:
            _log.warning(
                "Domain %s: %d image(s) are too few to say what it looks like; it takes %d",
                name,
                len(set(patients)),
                FEWEST,
            )
            continue
        lines = np.concatenate([np.asarray(lines) for _, lines in own])
        appearance[name] = fit_appearance(lines, patients, weights=FEATURE_WEIGHTS).to_dict()
    written = Path(checkpoint if output is None else output)
    if distributed.get_rank() == 0 and (appearance or output is not None):
        save_appearance(checkpoint, appearance, output=output)
    return written, [failure for _, part in parts for failure in part]


def _some(cases: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The cases, or as many as are looked at, evenly chosen."""
    if len(cases) <= _MOST:
        return cases
    return [cases[place] for place in np.linspace(0, len(cases) - 1, _MOST).round().astype(int)]
