# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of a datastore: point lists of Slicer, what may be one, and labelled images as a datalist."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net.data import Datalist, Domain, image_name
from monai_gu2net.data.dicom_entries import read_entries
from monai_gu2net.label_app.label_frame import LabelFrame, header_file, label_frame
from monai_gu2net.label_app.splits import drawn_splits
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.coordinates import index_to_mm, mm_to_index
from monai_gu2net.landmarks.formats import read_markups, write_markups

__all__ = ["LabelRefusedError", "check_label", "labelled_data", "usable_cases", "write_label"]

_log = logging.getLogger(__name__)


class LabelRefusedError(ValueError):
    """A file that cannot be the label of an image; the message says why."""


def write_label(
    path: str | os.PathLike[str], points: LandmarkSet, frame: LabelFrame, *, confidence: ArrayLike | None = None
) -> Path:
    """Write a label, whole or not at all.

    Args:
        path: the file, ``.mrk.json``.
        points: in pixels of the file.
        frame: of the image.
        confidence: (N,) for the points' descriptions.
    """
    # the frame's affine leads to LPS itself, not to the image's world; without a scale it is that of no millimetres
    named: Literal["LPS", "mm"] = "LPS" if frame.dims == 3 and frame.unit == "mm" else "mm"
    placed = replace(points, points=index_to_mm(points.points, frame.affine), frame=named)
    return write_markups(path, placed, confidence=confidence, unit=frame.unit, description=frame.description)


def check_label(
    label: str | os.PathLike[str],
    image: str | os.PathLike[str],
    *,
    domains: Mapping[str, Domain],
    domain: str | None = None,
    allow_outside: bool = False,
    called: str = "the image",
) -> tuple[str, LandmarkSet]:
    """Read what is to be the label of an image.

    Args:
        label: the file.
        image: the image's file.
        domains: by name, those that a label may be of.
        domain: that of the label; by default the one that has all of its names, of several the smallest.
        allow_outside: take points outside of the image, as a model may find them in the margin that it is given.
        called: what messages call the image.

    Returns:
        The domain's name, and its landmarks in pixels of the image file, NaN for absent ones.

    Raises:
        LabelRefusedError: it is no point list, has a name that the domain lacks, no point that is set, or one outside
            of the image; or the image cannot be read, or has other axes than the domain.
    """
    path = Path(label)
    try:
        found = read_markups(path)
    except (OSError, ValueError) as error:
        reason = str(error).replace(str(path), "the file")
        raise LabelRefusedError(f"The label of {called} must be a point list of Slicer ({reason})") from None
    if found.left_out:
        reasons = "; ".join(dict.fromkeys(item.reason for item in found.left_out))
        raise LabelRefusedError(
            f"The label of {called} must have points that are all whole; got {len(found.left_out)} that are not "
            f"({reasons}). Correct them."
        )
    name = _domain_of(found.names, domains, domain, called)
    if not found.present.any():
        raise LabelRefusedError(
            f"The label of {called} must have a point that is set; got {len(found.names)} without a position. "
            "Set those that can be seen; an image without any needs no label."
        )
    try:
        frame = label_frame(image)
    except (OSError, ValueError) as error:
        raise LabelRefusedError(f"The image of a label must be one that can be read. {error}") from None
    if frame.dims != domains[name].dims:
        raise LabelRefusedError(
            f"The image of a label of the domain {name!r} must have {domains[name].dims} axes; {called} has "
            f"{frame.extent}. Label it with a model of such images."
        )
    # what was read is in LPS mm, which is where the frame's affine leads
    points = replace(found, points=mm_to_index(found.points[:, : frame.dims], frame.affine), frame="index")
    with np.errstate(invalid="ignore"):
        outside = (points.points < -0.5) | (points.points > np.array(frame.size) - 0.5)
    if outside.any() and not allow_outside:
        names = [points.names[row] for row in np.flatnonzero(outside.any(axis=1))]
        raise LabelRefusedError(
            f"The points of {called} must lie in the image of {frame.extent}, in {_place(frame)}; got outside: "
            f"{names}. Correct them or their frame."
        )
    return name, points.select(domains[name].landmarks, allow_missing=True)


def usable_cases(
    pairs: Iterable[Mapping[str, str]], read: Callable[[Mapping[str, str], str], tuple[str, LandmarkSet]]
) -> list[dict[str, Any]]:
    """The pairs whose label can be used as cases; of the others a warning is logged.

    Args:
        pairs: ``image`` and ``label``, files.
        read: gives domain and landmarks of a pair, whose case it is given, too, as :func:`check_label` does.
    """
    cases: list[dict[str, Any]] = []
    for pair in pairs:
        case = image_name(Path(pair["image"]))
        try:
            name, points = read(pair, case)
        except (OSError, ValueError) as error:
            _log.warning("Left out: %s", error)
            continue
        landmarks = [None if np.isnan(point).any() else point.tolist() for point in points.points]
        cases.append({"image": pair["image"], "domain": name, "case": case, "landmarks": landmarks})
    return cases


def labelled_data(
    pairs: Iterable[Mapping[str, str]],
    *,
    domain: Domain,
    domains: Mapping[str, Domain],
    validation: float,
    earlier_splits: Mapping[str, str],
    domain_of: Mapping[str, str],
) -> tuple[Datalist, dict[str, str]]:
    """The labelled images of a datastore as a datalist to train a domain on.

    Labels of other domains, and those that :func:`check_label` refuses, are left out; of the latter a warning is
    logged.

    Args:
        pairs: ``image`` and ``label``, files, as a datastore's ``datalist()`` gives them.
        domain: to train.
        domains: all that a label may be of, see :func:`check_label`.
        validation: the share of the patients for validation.
        earlier_splits: "training" or "validation" by case, as an earlier call returned them: what was trained on once
            never serves validation.
        domain_of: that of the label by case, where it is stated.

    Returns:
        The datalist, without a test part; and the split of each case ever seen.

    Raises:
        ValueError: the domain has fewer than two labelled patients, so that none is left to train on.
    """

    def read(pair: Mapping[str, str], case: str) -> tuple[str, LandmarkSet]:
        return check_label(pair["label"], pair["image"], domains=domains, domain=domain_of.get(case), called=repr(case))

    pairs = sorted(pairs, key=lambda pair: pair["image"])
    headers = {pair["image"]: path for pair in pairs if (path := header_file(Path(pair["image"]))) is not None}
    of_file = {entry.path: entry.patient for entry in read_entries(headers.values()) if entry.patient}
    patients = {image: of_file[path] for image, path in headers.items() if path in of_file}
    found = [
        {**case, "patient": patients.get(case["image"], case["case"])}
        for case in usable_cases(pairs, read)
        if case["domain"] == domain.name
    ]
    if len({case["patient"] for case in found}) < 2:
        raise ValueError(
            f"Domain {domain.name!r} must have labels of at least two patients, one to train on and one to validate "
            f"with; got {len(found)} image(s). Label more."
        )
    splits = drawn_splits(found, share=validation, earlier=earlier_splits)
    parts = {part: [case for case in found if splits[case["case"]] == part] for part in ("training", "validation")}
    if not all(parts.values()):
        raise ValueError(
            f"Domain {domain.name!r} must have labels to train on and to validate with; got {len(parts['training'])} "
            f"and {len(parts['validation'])}. Label images of other patients."
        )
    return Datalist("labels", {domain.name: domain}, training=parts["training"], validation=parts["validation"]), splits


def _place(frame: LabelFrame) -> str:
    """The frame of a label in words."""
    if frame.dims == 3:
        return "LPS mm of its file, or RAS if the list says so"
    return "LPS mm of its plane" if frame.unit == "mm" else "pixels, for Slicer reads no spacing of it"


def _domain_of(names: Sequence[str], domains: Mapping[str, Domain], domain: str | None, called: str) -> str:
    """The domain that a label with these names is of."""
    if domain is not None and domain not in domains:
        raise LabelRefusedError(
            f"The domain of the label of {called} must be among {list(domains)}; got {domain!r}. Correct it."
        )
    candidates = {name: set(each.landmarks) for name, each in domains.items() if domain in (None, name)}
    fitting = [name for name, landmarks in candidates.items() if landmarks >= set(names)]
    if fitting:
        return min(fitting, key=lambda name: len(candidates[name]))
    nearest = max(candidates, key=lambda name: len(candidates[name] & set(names)))
    unknown = [name for name in names if name not in candidates[nearest]]
    raise LabelRefusedError(
        f"The landmarks of {called} must be those of a domain, nearest {nearest!r}; got unknown names {unknown}. "
        f"Rename them to some of {list(domains[nearest].landmarks)}."
    )
