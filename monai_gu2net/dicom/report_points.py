# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The labelled points in the content tree of a structured report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import CERTAINTY, COMMENT, CONFIDENCE, LANDMARKS_FOUND, PRIVATE_SCHEME
from monai_gu2net.dicom.header import read_header
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.report_names import POINT_TOOLS, PointLabels, cornerstone_tool
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.files import LeftOut

__all__ = ["ReportPoint", "ReportPoints", "report_points"]

Concept = tuple[str, str]
_TRACKING_IDENTIFIER: Concept = ("112039", "DCM")
_FINDING: Concept = ("121071", "DCM")
_SITES: tuple[Concept, ...] = (("363698007", "SCT"), ("G-C0E3", "SRT"))
_LATERALITIES: tuple[Concept, ...] = (("272741003", "SCT"), ("G-C171", "SRT"))
_GROUP: Concept = ("125007", "DCM")
_DERIVED: Concept = ("126011", "DCM")
_FREE_TEXT = ("CORNERSTONEFREETEXT", "CS3DTEXT")  # dcmjs 0.52.0, whatever the scheme
_CORNERSTONE_SCHEME = "99CS3D"  # of where a label or a spline's handles stand
_SAME = 0.01  # pixels or mm
_CONFIDENCE, _CERTAINTY, _COMMENT = CONFIDENCE[:2], CERTAINTY[:2], COMMENT[:2]
_LANDMARKS_FOUND = LANDMARKS_FOUND[:2]


@dataclass(frozen=True)
class ReportPoint:
    """A point of a report.

    Args:
        place: where it stands, such as "a.dcm group 3", for lists of what is left out.
        labels: what the report says of it that could be its name.
        point: (x, y) in pixel indices; or (x, y, z) in mm of the patient's space, LPS.
        confidence: from 0 to 1; NaN: not given.
        image: SOP Instance UID of the image that it is selected from; of a point in space the Frame of Reference UID.
        frame: of that image, from 1; 0: it is in space.
    """

    place: str
    labels: PointLabels
    point: tuple[float, ...]
    confidence: float
    image: str
    frame: int


@dataclass(frozen=True)
class ReportPoints:
    """The points of a report.

    Args:
        path: of the report.
        written: date and time of its content, as text that sorts by time; "": it does not say.
        points: in its order.
        left_out: its groups of measurements that are no point, and points that are not understood.
        nothing_in: SOP Instance UID of the image that it says no landmark was found in, "" of a volume, which is all of
            its evidence; None: it does not say so.
        evidence: SOP Instance UIDs of the objects that it is based on.
    """

    path: Path
    written: str
    points: tuple[ReportPoint, ...]
    left_out: tuple[LeftOut, ...]
    nothing_in: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass
class _Group:
    """A group of measurements, or what else has a label, with the coordinates in it."""

    item: Dataset
    derived: bool
    graphics: list[tuple[Dataset, Dataset]] = field(default_factory=list)  # with their parents


class _NoPointError(Exception):
    """A group that no point can be taken from; its text is the reason."""


def report_points(path: Path) -> ReportPoints:
    """The points of a report and the groups of it that are none; one odd group never refuses the others.

    Args:
        path: the file.

    Raises:
        DicomError: it cannot be read, or is no report.
        FileNotFoundError: there is no such file.
    """
    header = read_header(path)
    try:
        return _points(header, path)
    except DicomError:
        raise
    except Exception as error:  # whatever a foreign tree lacks; the message could quote it
        raise DicomError(
            f"{path.name}: a structured report must be well-formed; reading it ended in {type(error).__name__}. "
            "Export it again."
        ) from None


def _points(header: Dataset, path: Path) -> ReportPoints:
    day, time = (re.sub(r"[^0-9.]", "", str(header.get(key) or "")) for key in ("ContentDate", "ContentTime"))
    with silent_pydicom():
        if header.get("ValueType") != "CONTAINER" or not header.get("ContentSequence"):
            raise DicomError(f"{path.name}: the file must be a structured report; it has no content. Give an SR.")
        points: list[ReportPoint] = []
        left_out: list[LeftOut] = []
        text_is_utf8 = not header.get("SpecificCharacterSet")
        for number, group in enumerate(_groups(header), start=1):
            place = f"{path.name} group {number}"
            try:
                points += _points_of(group, place, text_is_utf8=text_is_utf8)
            except _NoPointError as none:
                left_out += [] if group.derived else [LeftOut("measurement group", place, str(none))]
            except Exception as error:  # whatever a foreign tree lacks; the message could quote it
                reason = f"it is not well-formed ({type(error).__name__})"
                left_out.append(LeftOut("measurement group", place, reason))
        nothing, evidence = None if points else _nothing_found_in(header), _evidence(header)
    return ReportPoints(path, f"{day} {time}".strip(), tuple(points), tuple(left_out), nothing, evidence)


def _groups(root: Dataset) -> list[_Group]:
    """The groups in their order, each with the coordinates that it is the nearest labelled parent of."""
    groups: dict[int, _Group] = {}
    for item, parents in _items(root):
        children = list(item.get("ContentSequence") or ())
        labelled = any(_concept(child) in (_TRACKING_IDENTIFIER, _FINDING) for child in children)
        if labelled or _concept(item) == _GROUP:
            derived = any(_concept(parent) == _DERIVED for parent in parents)
            groups[id(item)] = _Group(item, derived or _is_own_summary(children))
        if item.get("ValueType") in ("SCOORD", "SCOORD3D"):
            owner = next((parent for parent in parents if id(parent) in groups), None)
            if owner is None:
                owner = parents[0] if parents else root
            groups.setdefault(id(owner), _Group(owner, derived=False)).graphics.append(
                (item, parents[0] if parents else root)
            )
    return list(groups.values())


def _is_own_summary(children: Sequence[Dataset]) -> bool:
    """Whether it is the group of measurements that earlier reports of this package have beside the landmarks."""
    return _text(children, _TRACKING_IDENTIFIER) == "measurements" and not any(
        child.get("ValueType") == "SCOORD" for child in children
    )


def _items(root: Dataset) -> Iterator[tuple[Dataset, tuple[Dataset, ...]]]:
    """Every item of the tree, in its order, with its parents, nearest first and without the root."""
    pending: list[tuple[Dataset, tuple[Dataset, ...]]] = [(item, ()) for item in reversed(root.ContentSequence)]
    while pending:
        item, parents = pending.pop()
        yield item, parents
        pending += [(child, (item, *parents)) for child in reversed(item.get("ContentSequence") or ())]


def _points_of(group: _Group, place: str, *, text_is_utf8: bool) -> list[ReportPoint]:
    """The point of a group; of one whose points are inferred for codes of their own, each of them.

    Raises:
        _NoPointError: it has none, or several under one name.
    """
    children = list(group.item.get("ContentSequence") or ())
    labels = _labels(children, text_is_utf8)
    tool = cornerstone_tool(labels.identifier)
    if tool is not None and tool[0] not in POINT_TOOLS:
        raise _NoPointError("it is a measurement of another kind than a point")
    if tool is not None and tool[1].startswith("KeyImage") and not tool[1].endswith("Point"):
        raise _NoPointError("it marks a whole image")
    found: list[ReportPoint] = []
    reasons: list[str] = []
    for graphic, parent in group.graphics:
        if _scheme(graphic) == _CORNERSTONE_SCHEME:
            continue
        try:
            at = _coordinates(graphic, None if tool is None else tool[0])
            image, frame = _image(graphic) if len(at) == 2 else (_space(graphic), 0)
        except _NoPointError as reason:
            reasons.append(str(reason))
            continue
        coded = parent is not group.item and parent.get("ValueType") == "CODE"
        location = _text_of(_meaning(parent), text_is_utf8) if coded else ""
        here = (p for p in found if (p.image, p.frame) == (image, frame))
        same = next((p for p in here if math.dist(p.point, at) <= _SAME), None)
        if same is None or (location and same.labels.location and location != same.labels.location):
            located = PointLabels(**(labels.__dict__ | {"location": location}))
            found.append(ReportPoint(place, located, at, _confidence(children), image, frame))
    if not found:
        raise _NoPointError(reasons[0] if reasons else "it has no coordinates")
    names = {(point.labels.location, point.image, point.frame) for point in found}
    if len(names) < len(found):
        raise _NoPointError("it has several points under one name")
    return found


def _coordinates(graphic: Dataset, tool: str | None) -> tuple[float, ...]:
    """(x, y) in pixel indices, or (x, y, z) in space, of a POINT or an arrow's tip."""
    kind, data = graphic.get("GraphicType"), np.asarray(graphic.get("GraphicData"), dtype=float).ravel()
    dims = 3 if graphic.get("ValueType") == "SCOORD3D" else 2
    tipped = tool in POINT_TOOLS and len(data) == 2 * dims and kind in ("POINT", "POLYLINE")
    if kind not in ("POINT", "MULTIPOINT") and not (tipped and tool == "ArrowAnnotate"):
        raise _NoPointError("it is a measurement of another kind than a point")
    if (len(data) != dims and not tipped) or not np.isfinite(data).all():
        raise _NoPointError(f"a point must have {'three' if dims == 3 else 'two'} finite coordinates")
    return tuple((data[:dims] - (0.5 if dims == 2 else 0.0)).tolist())


def _space(graphic: Dataset) -> str:
    """The Frame of Reference UID of coordinates in space."""
    space = str(graphic.get("ReferencedFrameOfReferenceUID") or "")
    if not space:
        raise _NoPointError("a point in space must have a frame of reference")
    return space


def _evidence(header: Dataset) -> tuple[str, ...]:
    """SOP Instance UIDs of the objects that a report says it is based on, each once."""
    named: dict[str, None] = {}
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in header.get(keyword) or ():
            for series in study.get("ReferencedSeriesSequence") or ():
                for item in series.get("ReferencedSOPSequence") or ():
                    named[str(item.get("ReferencedSOPInstanceUID") or "")] = None
    return tuple(uid for uid in named if uid)


def _image(graphic: Dataset) -> tuple[str, int]:
    """SOP Instance UID and frame of the image that coordinates are selected from."""
    for child in graphic.get("ContentSequence") or ():
        if child.get("ValueType") == "IMAGE" and child.get("ReferencedSOPSequence"):
            reference = child.ReferencedSOPSequence[0]
            frame = reference.get("ReferencedFrameNumber") or 1
            if reference.get("ReferencedSOPInstanceUID") and isinstance(frame, int):
                return str(reference.ReferencedSOPInstanceUID), int(frame)
    raise _NoPointError("a point must be selected from one frame of an image")


def _labels(children: Sequence[Dataset], text_is_utf8: bool) -> PointLabels:
    codes = [child for child in children if child.get("ValueType") == "CODE" and _meaning(child)]
    findings = [code for code in codes if _concept(code) == _FINDING]
    sites = [code for code in codes if _concept(code) in _SITES]
    free = [code for code in (*sites, *findings) if _code_value(code) in _FREE_TEXT]
    finding = next((code for code in findings if _code_value(code) not in _FREE_TEXT), None)
    meanings = [
        _meaning(item)
        for site in sites
        if _code_value(site) not in _FREE_TEXT
        for item in (site, *(k for k in site.get("ContentSequence") or () if _concept(k) in _LATERALITIES))
    ]
    texts = {
        "identifier": _text(children, _TRACKING_IDENTIFIER),
        "comment": _text(children, _COMMENT),
        "free_text": _meaning(free[0]) if free else "",
        "finding": "" if finding is None else _meaning(finding),
        "site": ", ".join(part for part in meanings if part),
    }
    own = finding is not None and _scheme(finding, "ConceptCodeSequence") == PRIVATE_SCHEME
    return PointLabels(**{key: _text_of(text, text_is_utf8) for key, text in texts.items()}, own=own)


def _text_of(text: str, is_utf8: bool) -> str:
    """Text of a report without a character set, in which dcmjs 0.52.0 writes UTF-8 all the same."""
    try:
        return text.encode("latin-1").decode("utf-8") if is_utf8 else text
    except UnicodeError:
        return text


def _text(children: Sequence[Dataset], concept: Concept) -> str:
    texts = (child.get("TextValue") for child in children if _concept(child) == concept)
    return next((str(text) for text in texts if text), "")


def _confidence(children: Sequence[Dataset]) -> float:
    """That of this package, else DICOM's certainty of a finding, which is in percent (PS3.16, TID 4006)."""
    for concept, scale in ((_CONFIDENCE, 1.0), (_CERTAINTY, 0.01)):
        for child in children:
            if _concept(child) == concept and (value := _number(child)) is not None:
                return value * scale
    return math.nan


def _number(item: Dataset) -> float | None:
    if item.get("ValueType") != "NUM" or not item.get("MeasuredValueSequence"):
        return None
    value = item.MeasuredValueSequence[0].get("NumericValue")
    return None if value is None else float(value)


def _nothing_found_in(header: Dataset) -> str | None:
    """The image of a report that says that 0 landmarks were found; "" of a volume."""
    items = [item for item, _ in _items(header)]
    if not any(_concept(item) == _LANDMARKS_FOUND and _number(item) == 0 for item in items):
        return None
    references = (item.get("ReferencedSOPSequence") for item in items if item.get("ValueType") == "IMAGE")
    return next((str(of[0].get("ReferencedSOPInstanceUID") or "") for of in references if of), "")


def _concept(item: Dataset) -> Concept:
    code = _code(item, "ConceptNameCodeSequence")
    return str(code.get("CodeValue") or ""), str(code.get("CodingSchemeDesignator") or "")


def _scheme(item: Dataset, keyword: str = "ConceptNameCodeSequence") -> str:
    return str(_code(item, keyword).get("CodingSchemeDesignator") or "")


def _code_value(item: Dataset) -> str:
    return str(_code(item, "ConceptCodeSequence").get("CodeValue") or "")


def _meaning(item: Dataset) -> str:
    return str(_code(item, "ConceptCodeSequence").get("CodeMeaning") or "")


def _code(item: Dataset, keyword: str) -> Any:
    return (item.get(keyword) or [Dataset()])[0]
