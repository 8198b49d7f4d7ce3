# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Reading a dataset folder of any kind: from what its source says of each image to the cases of a datalist."""

from __future__ import annotations

import inspect
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from monai_gu2net.data.case_names import case_names
from monai_gu2net.data.datalist import SPLITS, Datalist, mean_point
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.outside import ALLOWED_OUTSIDE, check_outside, in_frame
from monai_gu2net.data.reader import image_shape, radiograph_size
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import PointsFrame
from monai_gu2net.sources.doubts import doubtful_in, doubts_in_words
from monai_gu2net.sources.folder_files import existing_folder, reason_within
from monai_gu2net.sources.kinds import SOURCES, recognize_layout
from monai_gu2net.sources.source import Annotation, Entry, Source
from monai_gu2net.sources.split import Case, split_by_patient, split_dataset
from monai_gu2net.sources.volume_frame import (
    VolumeFrame,
    check_agreement,
    in_voxels,
    is_volume,
    refuse_mixed,
    usual_channels,
    volume_frame,
)
from monai_gu2net.sources.volume_input import checked_frames, volume_input

__all__ = ["read_layout"]

_LONGEST = 512  # side of the network's input


def read_layout(
    folder: str | os.PathLike[str],
    *,
    layout: str | None = None,
    domain: str | None = None,
    landmarks: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    orientation: str | None = None,
    target_spacing: Sequence[float] | Literal["none"] | None = None,
    points: PointsFrame | None = None,
    spacing: Sequence[float] | Literal["default", "unknown"] = "default",
    annotator: str | None = None,
    test: int | float | None = None,
    validation: int | float | None = None,
    seed: int = 0,
    drawn: bool | None = None,
    leave_out_doubtful: bool = False,
    allow_outside: float = ALLOWED_OUTSIDE,
) -> Datalist:
    """Read a dataset folder of any of the layouts.

    Images without landmarks, landmarks without image, and either that is broken are left out; so is a landmark outside
    of its image, which is absent and named under ``outside`` of its case. An image that is DICOM of a table, point
    lists or reports and cannot be read stays, as a case that fails.

    Args:
        folder: the dataset.
        layout: one of :data:`SOURCES`; by default recognised by the folder.
        domain: name of the domain; by default the layout's (head, hand, chest) or the folder's.
        landmarks: names and order of the landmarks (table, markups, sr); by default all, in the order in which they
            come up.
        size: the network's input size, width first; by default the layout's, or 512 on the longest side, in the images'
            usual proportions, or, of volumes, chosen by :func:`~monai_gu2net.sources.volume_input.volume_input`.
        orientation: of volumes, where their axes lead when the network sees them; by default "RAS".
        target_spacing: of volumes, mm per voxel when the network sees them; by default chosen as their size is, or none
            where the scale of all is unknown. "none": each is resized to the size instead.
        points: of a table of volumes, what its coordinates are: "voxel", "LPS" or "RAS"; by default what its columns
            say.
        spacing: "default": what the layout knows; "unknown"; or mm per pixel of the image files along each axis.
        annotator: whose points are the ground truth (head); by default the mean of all. A case keeps the points of
            each under ``annotators`` as well.
        test: a count (int) or a fraction (float) for the test part (not head, whose split is official): of the images,
            from the end (hand, chest; by default as in the paper), or of the patients (else; by default 0.2).
        validation: a count (int) or a fraction (float) of the patients to hold out (with a test part that is not drawn,
            of the others); by default none (head, hand, chest) or 0.1.
        seed: of the draw.
        drawn: draw the test part instead of taking it from the end of the order (hand, chest).
        leave_out_doubtful: name landmarks that can hardly be right under ``doubtful`` of their case.
        allow_outside: share of the landmarks that may lie outside of their images, where they are absent.

    Returns:
        A datalist of one domain, called after that. The names of what was left out are relative to the folder. Its
        ``origin`` says in words which points of volumes were read (``points``) and what the network sees (``input``),
        and which landmarks can hardly be right (``doubtful``, see
        :func:`~monai_gu2net.landmarks.implausible_landmarks`).

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the layout is not recognized, does not take an option, its reader refuses a file, no case is left,
            too many landmarks lie outside of their images, a volume's landmarks in two frames do not agree, or some
            volumes state their scale and others do not.
    """
    layout = recognize_layout(folder) if layout is None else layout
    if layout not in SOURCES:
        raise ValueError(f"layout must be among {list(SOURCES)}; got {layout!r}. Leave it out to have it recognized.")
    source, path = SOURCES[layout], existing_folder(Path(folder))
    split_options: dict[str, Any] = {"test": test, "validation": validation, "drawn": drawn}
    of_volumes = {"orientation": orientation, "target_spacing": target_spacing}
    options: dict[str, Any] = {"domain": domain, "landmarks": landmarks, "size": size, "annotator": annotator}
    options |= {"points": points, **split_options, **of_volumes}
    own = set(inspect.signature(source.entries).parameters)
    refused = [name for name in options if options[name] is not None and name not in own | _taken(source)]
    if refused:
        raise ValueError(f"Options must be of use to the layout {layout!r}; got {refused}. Leave them out.")
    _check_spacing(spacing)
    options["spacing"] = spacing
    items = list(source.entries(path, **{k: v for k, v in options.items() if k in own and v is not None}))
    notes = dict[str, Any](zip(["points"], [item for item in items if isinstance(item, str)], strict=False))
    read, broken = _readable([item for item in items if isinstance(item, Entry)], path, spacing)
    names = case_names([each.entry.image for each in read], listed=[each.entry.listed for each in read])
    named = list(zip(names, read, strict=True))
    kept = {name: each for name, each in named if each.entry.reason is None}
    if not kept:
        raise ValueError(f"{path}: {source.empty}")
    left_out = [item for item in items if isinstance(item, LeftOut)] + broken
    left_out += [LeftOut("image", name, each.entry.reason) for name, each in named if each.entry.reason is not None]
    for entry, _, found, frame in kept.values():
        if entry.also is not None and frame is not None and isinstance(found, LandmarkSet):
            check_agreement(found, entry.also, frame, image=Path(os.path.relpath(entry.image, path)).as_posix())
    refuse_mixed(path, {name: _sets(each.annotation)[0].dims for name, each in kept.items()})
    made = source.domain or _domain_of(path, domain, list(kept.values()))
    solid = made.dims == 3
    if not solid and any(value is not None for value in (*of_volumes.values(), points)):
        raise ValueError(
            f"{path}: orientation, target_spacing and points must be of volumes; got images of two axes. Leave them "
            "out."
        )
    if size is not None and len(size) != made.dims:
        raise ValueError(f"size must be {made.dims} whole numbers for the images of {path}; got {tuple(size)}.")
    made = replace(
        made,
        name=domain or made.name,
        size=made.size if size is None else tuple(size),
        reference=made.reference if spacing == "default" else None,
        ground_truth=made.ground_truth if annotator in (None, "mean") else annotator,
    )
    cases = [_case(name, each, made, spacing, annotator) for name, each in kept.items()]
    doubtful = doubtful_in(cases, made, {name: each.frame for name, each in kept.items()})
    if doubtful:
        notes["doubtful"] = doubts_in_words(doubtful, left_out=leave_out_doubtful)
    if leave_out_doubtful:
        cases = [case | ({"doubtful": doubtful[case["case"]]} if case["case"] in doubtful else {}) for case in cases]
    made = replace(made, spacing=_share_spacing(cases))
    split_of = {name: each.entry.split for name, each in kept.items()}
    if any(split_of.values()):
        _check_split(split_of, path / source.table, {} if source.official else split_options)
        splits = {part: [case for case in cases if split_of[case["case"]] == part] for part in SPLITS}
        if validation:
            splits |= split_by_patient(splits["training"], validation=validation, seed=seed) | {"test": splits["test"]}
    else:
        share = source.training_share and min(1.0, source.training_share * len(read) / len(kept))
        splits = split_dataset(cases, training_share=share, **split_options, seed=seed)
    check_outside(cases, allow_outside=allow_outside)
    if solid and source.domain is None:
        frames = {name: frame for name, each in kept.items() if (frame := each.frame) is not None}
        checked_frames(frames, domain=made.name, target_spacing=target_spacing)
        training = [frames[case["case"]] for case in splits["training"]] or list(frames.values())
        made = replace(made, orientation=orientation or made.orientation)
        chosen = volume_input(training, orientation=str(made.orientation), size=size, target_spacing=target_spacing)
        made = replace(made, size=chosen.size, target_spacing=chosen.target_spacing)
        notes["input"] = f"the network sees the volumes {chosen.words}"
    origin = notes or None
    return Datalist(made.name, {made.name: made}, **dict[str, Any](splits), origin=origin, left_out=tuple(left_out))


class _Read(NamedTuple):
    """An entry whose image and annotation could be read.

    The image's size is None where no header tells it; frame is the grid of a volume.
    """

    entry: Entry
    size: Sequence[int] | None
    annotation: Annotation
    frame: VolumeFrame | None = None


def _taken(source: Source) -> set[str]:
    """The options that a source takes beside those of its function."""
    if source.official:
        return {"domain", "size", "validation"}
    of_volumes = {"orientation", "target_spacing"} if source.domain is None else set()
    return {"domain", "size", "validation", "test", *of_volumes, *(["drawn"] if source.training_share else [])}


def _check_spacing(option: Sequence[float] | str) -> None:
    if isinstance(option, str):
        if option not in ("default", "unknown"):
            raise ValueError(f"spacing must be 'default', 'unknown' or (sx, sy); got {option!r}. Choose one.")
    elif len(option) not in (2, 3) or not all(0 < value < math.inf for value in option):
        raise ValueError(
            f"spacing must be two positive numbers (mm per pixel), or three of volumes; got {option!r}. Correct it."
        )


def _readable(
    entries: Sequence[Entry], folder: Path, spacing: Sequence[float] | str
) -> tuple[list[_Read], list[LeftOut]]:
    """The entries whose image and annotation can be read, and the others; it is an error if that is all of them."""
    read: list[_Read] = []
    broken: list[LeftOut] = []
    for entry in entries:
        try:
            size = _size(entry)
            found = entry.landmarks(size or ()) if callable(entry.landmarks) else entry.landmarks
            frame = _frame_of(entry, found, spacing)
            if frame is not None:
                size, found = frame.size, _each(found, frame)
            read.append(_Read(entry, size, found, frame))
        except ValueError as error:
            # where the annotation is read here too, the reason must say which of the files is at fault
            reason = reason_within(folder, error if callable(entry.landmarks) else error.__cause__ or error)
            broken.append(LeftOut("image", Path(os.path.relpath(entry.image, folder)).as_posix(), reason))
    if broken and not read:
        what = "images and annotations" if any(callable(entry.landmarks) for entry in entries) else "images"
        raise ValueError(f"{folder}: its {what} must be readable; got none that is: {broken[0].reason}")
    usual = usual_channels(each.frame for each in read)
    for each in read:
        if each.frame is not None and each.frame.channels != usual:
            reason = f"it has {each.frame.channels} channel(s), or points of time, and most volumes {usual}"
            broken.append(LeftOut("image", Path(os.path.relpath(each.entry.image, folder)).as_posix(), reason))
    return [each for each in read if each.frame is None or each.frame.channels == usual], broken


def _frame_of(entry: Entry, annotation: Annotation, spacing: Sequence[float] | str) -> VolumeFrame | None:
    """The grid of an image whose landmarks have three coordinates, at the spacing that is given."""
    if max(landmarks.dims for landmarks in _sets(annotation)) == 2:
        if is_volume(entry.image, entry.dicom):
            raise ValueError(
                f"{entry.image}: a volume must have landmarks of three coordinates; got two. Give them, or a picture."
            )
        return None
    given = spacing if not isinstance(spacing, str) else entry.spacing if spacing == "default" else None
    return volume_frame(entry.image).at_spacing(given)


def _each(annotation: Annotation, frame: VolumeFrame) -> Annotation:
    """The landmarks of each annotator in voxels of the file."""
    if isinstance(annotation, LandmarkSet):
        return in_voxels(annotation, frame)
    return {who: in_voxels(landmarks, frame) for who, landmarks in annotation.items()}


def _size(entry: Entry) -> Sequence[int] | None:
    """The lengths of an image's axes from its header, width first; None for kinds whose header is not read."""
    if entry.dicom is not None:
        return entry.dicom.size
    flat = isinstance(entry.landmarks, LandmarkSet) and entry.landmarks.dims == 2
    try:
        return radiograph_size(entry.image) if flat else image_shape(entry.image)
    except (OSError, ValueError) as error:
        raise ValueError(f"{entry.image}: the image must be readable; got {error}. Copy it anew.") from error


def _sets(annotation: Annotation) -> list[LandmarkSet]:
    return [annotation] if isinstance(annotation, LandmarkSet) else list(annotation.values())


def _domain_of(folder: Path, name: str | None, read: Sequence[_Read]) -> Domain:
    """The domain of a folder whose kind has none of its own."""
    sets = [landmarks for each in read for landmarks in _sets(each.annotation)]
    names = tuple(dict.fromkeys(name for landmarks in sets for name in landmarks.names))
    dims = sets[0].dims
    name = name or "".join(c if c.isalnum() or c in "_-" else "_" for c in folder.name) or "domain"
    size = _fitting_size([each.size[:dims] for each in read if each.size], dims)
    return Domain(name, names, size, in_channels=usual_channels(each.frame for each in read))


def _fitting_size(sizes: Sequence[Sequence[int]], dims: int) -> tuple[int, ...]:
    """An input size with the images' usual proportions, each side a multiple of 16 as four halvings ask for."""
    ratios = [statistics.median(size[axis] / size[-1] for size in sizes) if sizes else 1.0 for axis in range(dims)]
    sides = (_LONGEST * ratio / max(ratios) for ratio in ratios)
    return tuple(max(16, 16 * math.floor(side / 16 + 0.5)) for side in sides)


def _case(name: str, read: _Read, domain: Domain, spacing: Sequence[float] | str, annotator: str | None) -> Case:
    """One case of a datalist."""
    entry, size, annotation, _ = read
    points = [_points(landmarks, domain, read) for landmarks in _sets(annotation)]
    annotators = {} if isinstance(annotation, LandmarkSet) else dict(zip(annotation, points, strict=True))
    case: Case = {
        "image": str(entry.image),
        "domain": domain.name,
        "case": name,
        "patient": entry.patient or (entry.dicom and entry.dicom.patient) or name,
        "landmarks": annotators[annotator]
        if annotator in annotators
        else [mean_point(p) for p in zip(*points, strict=True)],
    }
    if size is not None:
        case = in_frame(case, domain.landmarks, size)
    if annotators:
        case["annotators"] = annotators
    own = entry.spacing
    if entry.extent_mm is not None and size is not None:
        own = [whole / count for whole, count in zip(entry.extent_mm, size, strict=False)]
    chosen = spacing if not isinstance(spacing, str) else own if spacing == "default" else None
    return case if chosen is None else case | {"spacing": [float(s) for s in chosen]}


def _points(landmarks: LandmarkSet, domain: Domain, read: _Read) -> list[list[float] | None]:
    """The points as a datalist has them, in the domain's order, None for those absent."""
    dims = landmarks.dims if read.size is None else min(len(read.size), landmarks.dims)
    if landmarks.frame != "index" or landmarks.dims != dims:
        raise ValueError(
            f"{read.entry.image}: landmarks must be {dims}-D pixel indices; got {landmarks.dims}-D in "
            f"{landmarks.frame!r}. Convert them."
        )
    strange = [name for name in landmarks.names if name not in domain.landmarks]
    if strange:
        raise ValueError(
            f"{read.entry.image}: landmarks must be those of domain {domain.name!r}; got {strange}. Rename them."
        )
    ordered = landmarks.select(domain.landmarks, allow_missing=True)
    return [point if there else None for point, there in zip(ordered.points.tolist(), ordered.present, strict=True)]


def _share_spacing(cases: Sequence[Case]) -> tuple[float, ...] | None:
    """The spacing of all cases, taken out of them; None where they differ (they keep theirs) or know none."""
    spacings = {tuple(case.get("spacing", ())) for case in cases}
    if len(spacings) != 1 or spacings == {()}:
        return None
    for case in cases:
        del case["spacing"]
    return spacings.pop()


def _check_split(split_of: Mapping[str, str | None], place: Path, options: Mapping[str, Any]) -> None:
    """Refuse splits of the entries that are not of all of them, or not the only ones that are asked for."""
    unset = [case for case, part in split_of.items() if part is None]
    options = {name: value for name, value in options.items() if name != "drawn"}
    if unset or any(value is not None for value in options.values()):
        raise ValueError(
            f"{place}: the column 'split' must be filled in for all cases and decide alone; got none "
            f"for {unset[:5]}, and the options {options}. Fill it in, or remove it."
        )
