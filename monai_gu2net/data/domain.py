# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A domain: what one landmark dataset is, apart from its images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monai_gu2net.files import check_fields
from monai_gu2net.landmarks.anatomical_names import vertebral_levels
from monai_gu2net.measurements import Measurement, default_measurements, measurement_to_dict, read_measurements

__all__ = ["Domain", "ReferenceLength", "spatial_dims_of"]

_FIELDS = ("landmarks", "size", "orientation", "target_spacing", "mean_shape", "spacing")


@dataclass(frozen=True)
class ReferenceLength:
    """A known distance between two landmarks, from which an image's spacing follows.

    Args:
        first: name of one landmark.
        second: name of the other.
        mm: their distance in mm; positive.

    Source: Payer et al., Medical Image Analysis 54 (2019): a wrist is taken to be 50 mm wide.
    """

    first: str
    second: str
    mm: float


@dataclass(frozen=True)
class Domain:
    """Name, landmarks, input size and physical scale of one dataset.

    Args:
        name: the domain's name, as in datalists, checkpoints and ``net(image, domain)``.
        landmarks: N different names, in the order of the network's output channels.
        size: the network's input size in pixels, one number per spatial axis, width first. With a ``target_spacing`` it
            is what the network sees at once: a smaller image is padded to it, a larger one seen in windows of it.
        orientation: of a volume, where its first, second and third axis lead when the network sees it, such as "RAS"
            (to the right, the front, the head), which is the default; None for radiographs, which have no such axes.
        target_spacing: mm per pixel of the network's input along each axis; None: an image is resized to ``size``.
        mean_shape: (N, D) mean of the landmarks in mm in one pose, where the images lie in any pose: then an image is
            found in several poses and seen at last in that of the shape; None: they lie much as those of training do.
        spacing: mm per pixel of the image files along each axis, where it is the same for all of them.
        reference: the landmark pair of known distance, where spacing follows from the reference landmarks.
        mirror: pairs (left, right) of landmarks that change places in a mirrored image, where (name, None) has no
            partner and is absent, and one that is not named stays in its place; empty: never mirror.
        in_channels: channels of an image; with 3, pictures are read in colour and grey images repeated.
        ground_truth: whose annotation the cases' ``landmarks`` are, in words, such as "mean of senior and junior".
        measurements: that are declared, beside the built-in ones of its landmarks, see :attr:`all_measurements`.
        levels: landmarks of the parts that follow each other and look alike, such as vertebrae, from the first to the
            last, where a whole part can be taken for its neighbour; of each its landmarks in the same order. Empty:
            those known by name, see :attr:`all_levels`.

    Raises:
        ValueError: a field breaks its rule; the message names the domain, the field and its value.
    """

    name: str
    landmarks: tuple[str, ...]
    size: tuple[int, ...]
    orientation: str | None = None
    target_spacing: tuple[float, ...] | None = None
    mean_shape: tuple[tuple[float, ...], ...] | None = None
    spacing: tuple[float, ...] | None = None
    reference: ReferenceLength | None = None
    mirror: tuple[tuple[str, str | None], ...] = ()
    in_channels: int = 1
    ground_truth: str | None = None
    measurements: tuple[Measurement, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(
                f"A domain's name must be letters, digits, '_' or '-'; got {self.name!r}. Rename the domain."
            )
        if not self.landmarks or not all(isinstance(name, str) and name for name in self.landmarks):
            self._refuse("landmarks", "be a list of at least one name", self.landmarks, "Name every landmark")
        repeated = sorted({name for name in self.landmarks if self.landmarks.count(name) > 1})
        if repeated:
            self._refuse("landmarks", "be all different", repeated, "Rename the repeated ones")
        if self.dims not in (2, 3) or not all(type(n) is int and n > 0 for n in self.size):
            self._refuse("size", "be 2 or 3 positive whole numbers", self.size, "Give width and height in pixels")
        if self.dims == 3 and self.orientation is None:
            object.__setattr__(self, "orientation", "RAS")
        if self.orientation is not None and not (self.dims == 3 and _is_orientation(self.orientation)):
            rule = "be three letters, one each of R or L, A or P, S or I, of a domain of volumes"
            self._refuse("orientation", rule, self.orientation, "Give one such as 'RAS'")
        for field in ("spacing", "target_spacing"):
            lengths = getattr(self, field)
            if lengths is not None and (len(lengths) != self.dims or not all(0 < s < math.inf for s in lengths)):
                self._refuse(field, "be one positive number per axis of size", lengths, "Leave it out if unknown")
        if self.mean_shape is not None:
            shape = [len(self.landmarks), self.dims]
            if not _are_points(self.mean_shape, shape):
                self._refuse("mean_shape", f"be {shape[0]} points of {shape[1]} numbers", self.mean_shape, "Prepare it")
            if self.target_spacing is None:
                self._refuse("mean_shape", "come with a target_spacing", self.mean_shape, "Give one")
            if self.orientation is not None and not _is_right_handed(self.orientation):
                # a turn brings nobody from there to how the shape lies
                self._refuse("orientation", "be right-handed with a mean_shape", self.orientation, "Give one as 'RAS'")
        if self.reference is not None:
            if self.spacing is not None:
                self._refuse("reference", "be given without spacing", self.reference, "Keep one of the two")
            if not 0 < self.reference.mm < float("inf") or self.reference.first == self.reference.second:
                self._refuse("reference", "be two landmarks a positive length apart", self.reference, "Correct it")
            self._check_named("reference", (self.reference.first, self.reference.second))
        for pair in self.mirror:
            if len(pair) != 2:
                self._refuse("mirror", "be pairs of landmark names", pair, "Give [left, right] pairs")
            self._check_named("mirror", [name for place, name in enumerate(pair) if name is not None or place == 0])
        mirrored = [name for pair in self.mirror for name in pair if name is not None]
        repeated = sorted({name for name in mirrored if mirrored.count(name) > 1})
        if repeated:
            self._refuse("mirror", "name each landmark in one place", repeated, "Leave out those of the midline")
        if type(self.in_channels) is not int or self.in_channels < 1:
            self._refuse("in_channels", "be a whole number, at least 1", self.in_channels, "Radiographs have 1")
        if self.ground_truth is not None and not (isinstance(self.ground_truth, str) and self.ground_truth.strip()):
            self._refuse("ground_truth", "be words", self.ground_truth, "Leave it out if there is nothing to say")
        if self.levels:
            if len(self.levels) < 2 or not all(isinstance(level, tuple) and level for level in self.levels):
                rule = "be two or more, each a list of at least one landmark"
                self._refuse("levels", rule, self.levels, "Leave them out if there are none")
            in_levels = [name for level in self.levels for name in level]
            self._check_named("levels", in_levels)
            repeated = sorted({name for name in in_levels if in_levels.count(name) > 1})
            if repeated:
                self._refuse("levels", "name each landmark in one place", repeated, "Correct them")
        if self.measurements:  # checked in the form that is saved, so that a checkpoint can always be read back
            read_measurements(
                [measurement_to_dict(each) for each in self.measurements],
                landmarks=self.landmarks,
                where=f"Domain {self.name!r}",
                dims=self.dims,
            )

    @property
    def all_measurements(self) -> tuple[Measurement, ...]:
        """The built-in measurements of its landmarks, then those declared; one declared goes before its namesake."""
        own = {each.name for each in self.measurements}
        built_in = default_measurements(self.landmarks) if self.dims == 2 else ()
        return (*(each for each in built_in if each.name not in own), *self.measurements)

    @property
    def dims(self) -> int:
        """The number of spatial axes of its images, 2 or 3."""
        return len(self.size)

    @property
    def all_levels(self) -> tuple[tuple[str, ...], ...]:
        """Those declared; else those of a spine by its names, T1 to L5 with their four corners; empty: it has none."""
        return self.levels or vertebral_levels(self.landmarks)

    @property
    def unit(self) -> str:
        """``"mm"`` where the domain knows its physical scale, else ``"px"`` (pixels of the image file)."""
        known = (self.spacing, self.reference, self.target_spacing)
        return "px" if all(each is None for each in known) else "mm"

    @property
    def view(self) -> dict[str, Any]:
        """The fields that say how the network sees an image, which are the model's, whatever data it is used on."""
        return {field: getattr(self, field) for field in ("size", "orientation", "target_spacing", "mean_shape")}

    @property
    def mirror_order(self) -> tuple[int, ...]:
        """For each landmark, the index of the one that takes its place after mirroring (N numbers); -1: none does."""
        partner = {a: b for left, right in self.mirror for a, b in ((left, right), (right, left))}
        partners = [partner.get(name, name) for name in self.landmarks]
        return tuple(-1 if name is None else self.landmarks.index(name) for name in partners)

    def resized(self, size: Sequence[int]) -> Domain:
        """The same domain with another input size."""
        return replace(self, size=tuple(size))

    @classmethod
    def from_dict(cls, name: str, fields: Mapping[str, Any]) -> Domain:
        """A domain from its JSON form.

        Args:
            name: the domain's name.
            fields: ``landmarks`` and ``size``; optionally ``orientation``, ``target_spacing``, ``mean_shape``,
                ``spacing``, ``reference`` (``{"between": [a, b], "mm": 50}``), ``mirror``, ``in_channels``,
                ``ground_truth``, ``levels``, ``measurements`` (see
                :func:`~monai_gu2net.measurements.read_measurements`).

        Raises:
            ValueError: a field is missing, unknown, or breaks its rule.
        """
        allowed = {*_FIELDS, "reference", "mirror", "in_channels", "ground_truth", "measurements", "levels"}
        fields = {field: value for field, value in fields.items() if value is not None}
        for field in ("landmarks", "size"):
            if field not in fields:
                raise ValueError(f"Domain {name!r} must have {field!r}; got {sorted(fields)}. Add it.")
        check_fields(fields, allowed, where=f"Domain {name!r}")
        for field in ("landmarks", "size", "target_spacing", "mean_shape", "spacing", "mirror", "levels"):
            # A string would pass for a list of letters.
            if not isinstance(fields.get(field, ()), list | tuple):
                raise ValueError(f"Domain {name!r}: {field} must be a list; got {fields[field]!r}. Put it in brackets.")
        for level in fields.get("levels", ()):
            if not isinstance(level, list | tuple):
                raise ValueError(
                    f"Domain {name!r}: each of the levels must be a list of landmarks; got {level!r}. "
                    "Put it in brackets."
                )
        reference = fields.get("reference")
        if reference is not None:
            try:
                check_fields(reference, {"between", "mm"}, where="reference")
                first, second = reference["between"]
                reference = ReferenceLength(first, second, float(reference["mm"]))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"Domain {name!r}: reference must be {{'between': [landmark, landmark], 'mm': length}}; "
                    f"got {reference!r}. Correct it."
                ) from error
        return cls(
            name=name,
            landmarks=tuple(fields["landmarks"]),
            size=tuple(fields["size"]),
            orientation=fields.get("orientation"),
            target_spacing=_numbers(fields, "target_spacing", name),
            mean_shape=_numbers(fields, "mean_shape", name),
            spacing=_numbers(fields, "spacing", name),
            reference=reference,
            mirror=tuple(map(tuple, fields.get("mirror", ()))),
            in_channels=fields.get("in_channels", 1),
            ground_truth=fields.get("ground_truth"),
            measurements=read_measurements(
                fields.get("measurements", ()),
                landmarks=fields["landmarks"],
                where=f"Domain {name!r}",
                dims=len(fields["size"]),
            ),
            levels=tuple(map(tuple, fields.get("levels", ()))),
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that :meth:`from_dict` reads; fields at their default are left out."""
        reference = self.reference and {
            "between": [self.reference.first, self.reference.second],
            "mm": self.reference.mm,
        }
        optional = {
            "orientation": self.orientation,
            "target_spacing": self.target_spacing and list(self.target_spacing),
            "mean_shape": self.mean_shape and [list(point) for point in self.mean_shape],
            "spacing": self.spacing and list(self.spacing),
            "reference": reference,
            "mirror": [list(pair) for pair in self.mirror],
            "in_channels": None if self.in_channels == 1 else self.in_channels,
            "ground_truth": self.ground_truth,
            "measurements": [measurement_to_dict(each) for each in self.measurements],
            "levels": [list(level) for level in self.levels],
        }
        fields = {"landmarks": list(self.landmarks), "size": list(self.size)}
        return fields | {field: value for field, value in optional.items() if value}

    def _refuse(self, field: str, rule: str, value: object, advice: str) -> None:
        raise ValueError(f"Domain {self.name!r}: {field} must {rule}; got {value!r}. {advice}.")

    def _check_named(self, field: str, names: Sequence[str | None]) -> None:
        unknown = [name for name in names if name not in self.landmarks]
        if unknown:
            self._refuse(field, f"name landmarks among {list(self.landmarks)}", unknown, "Correct the spelling")


def spatial_dims_of(domains: Mapping[str, Domain], dims: int | None = None) -> int:
    """The number of spatial axes of the images of all domains, 2 or 3; a network has one.

    Args:
        domains: by name, at least one.
        dims: what it must be; None: that of the first domain.

    Raises:
        ValueError: a domain's images have another one.
    """
    dims = dims or len(next(iter(domains.values())).size)
    for name, domain in domains.items():
        if domain.dims != dims:
            kinds = {2: "radiographs (2 axes)", 3: "volumes (3 axes)"}
            raise ValueError(
                f"Domain {name!r} must be of {kinds[dims]}, as the network and its other domains are; got size "
                f"{domain.size}. Train radiographs and volumes apart: choose among the datalist's domains (--domains), "
                "with the bundle gu2net for radiographs and gu2net_volume for volumes."
            )
    return dims


def _is_orientation(letters: object) -> bool:
    return (
        isinstance(letters, str) and len(letters) == 3 and all(set(letters) & set(axis) for axis in ("RL", "AP", "SI"))
    )


def _numbers(fields: Mapping[str, Any], field: str, domain: str) -> tuple[Any, ...] | None:
    """A list of numbers, or of points, as the field has it; None: it is not there.

    Raises:
        ValueError: it is none.
    """

    def parsed(value: Any) -> Any:
        return tuple(map(parsed, value)) if isinstance(value, list | tuple) else float(value)

    try:
        return parsed(fields[field]) if field in fields else None
    except (TypeError, ValueError):
        raise ValueError(
            f"Domain {domain!r}: {field} must be numbers; got {fields[field]!r}. Leave it out if unknown."
        ) from None


def _are_points(value: object, shape: Sequence[int]) -> bool:
    try:
        points = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return points.shape == tuple(shape) and bool(np.isfinite(points).all())


def _is_right_handed(orientation: str) -> bool:
    """Whether its axes are those of RAS after a turn, none of them mirrored."""
    axes = ["RL", "AP", "SI"]
    order = [next(place for place, axis in enumerate(axes) if letter in axis) for letter in orientation]
    swaps = sum(first > second for place, second in enumerate(order) for first in order[:place])
    return (swaps + sum(letter in "LPI" for letter in orientation)) % 2 == 0
