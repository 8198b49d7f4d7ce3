# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The protocol of a score: all that two numbers must share to be comparable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from monai_gu2net.data.domain import ReferenceLength

__all__ = ["DEFAULT_THRESHOLDS", "ORIGINAL", "PROTOCOLS", "Grid", "Protocol", "Thresholds", "named_protocol"]

PROTOCOLS = ("original", "paper")

Thresholds = Sequence[float] | Mapping[str, Sequence[float] | Mapping[str, Sequence[float]]]

DEFAULT_THRESHOLDS: Sequence[float] = (2.0, 2.5, 3.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The pixels that points are compared on: those of the image file, or those of a resized image.

    A point p of the file lies at p * new size / old size on the grid, along each axis.

    Args:
        size: (width, height) of the resized image; its aspect need not be the file's.
        longest_side: instead of ``size``: the resized image's longer side, at the file's aspect. With neither
            the grid is the file's own.
        scale: what a pixel measures. "file": what the file's pixels measure, resized with the image; "px": the grid's
            pixels are the unit; (x, y): constants in mm per pixel of the grid; a reference length: from the distance of
            two reference landmarks on the grid, the same along both axes. Where the scale of an image is not known
            the unit is a pixel of the grid.

    Raises:
        ValueError: both sizes are given, or one is not positive.
    """

    size: tuple[int, int] | None = None
    longest_side: int | None = None
    scale: tuple[float, float] | ReferenceLength | Literal["file", "px"] = "file"

    def __post_init__(self) -> None:
        if self.size is not None and self.longest_side is not None:
            raise ValueError(
                f"A grid must have size or longest_side; got {self.size} and {self.longest_side}. Leave one out."
            )
        given = self.size if self.size is not None else (1 if self.longest_side is None else self.longest_side,)
        if min(given) < 1:
            raise ValueError(f"A grid's size must be positive; got {', '.join(map(str, given))}. Correct it.")

    def __str__(self) -> str:
        if self.size is not None:
            pixels = f"{self.size[0]}x{self.size[1]} grid"
        elif self.longest_side is not None:
            pixels = f"grid with the longest side {self.longest_side}"
        else:
            pixels = "pixels of the image file"
        if isinstance(self.scale, ReferenceLength):
            return f"{pixels}, {self.scale.mm:g} mm from {self.scale.first} to {self.scale.second} of the reference"
        if self.scale == "px":
            return f"{pixels}, in its pixels"
        if self.scale == "file":
            return f"{pixels}, times its spacing where that is known"
        return f"{pixels}, {self.scale[0]:g} x {self.scale[1]:g} mm per pixel"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How errors are measured and counted.

    Args:
        name: what the report calls it.
        ground_truth: by domain, whose annotation the reference is, in words.
        grids: by domain, what the points are compared on.
        other_grid: the same for all other domains.
        whole_pixels: reference and prediction are rounded to whole pixels of the grid, halves to the even pixel.
        strict: a landmark counts as detected below a threshold (<) instead of up to it (<=).
        left_out: by domain, landmarks that do not count.
        thresholds: of the detection rate; see :func:`~monai_gu2net.evaluation.summarize_rows`.

    Example:
        >>> Protocol().grid_of("head")
        Grid(size=None, longest_side=None, scale='file')
        >>> named_protocol("paper").grid_of("head").size
        (416, 512)
    """

    name: str = "original"
    ground_truth: Mapping[str, str] = field(default_factory=dict)
    grids: Mapping[str, Grid] = field(default_factory=dict)
    other_grid: Grid = Grid()
    whole_pixels: bool = False
    strict: bool = False
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    thresholds: Thresholds = DEFAULT_THRESHOLDS

    @property
    def changes_rows(self) -> bool:
        """Whether errors are other than sub-pixel ones in the files' pixels, or landmarks are left out."""
        on_files = all(grid == Grid() for grid in (self.other_grid, *self.grids.values()))
        return not on_files or self.whole_pixels or any(self.left_out.values())

    def grid_of(self, domain: str) -> Grid:
        """What points of a domain are compared on."""
        return self.grids.get(domain, self.other_grid)

    def check(self, landmarks: Mapping[str, Sequence[str]], *, volumes: Iterable[str] = ()) -> None:
        """Check that what is left out is there, and that what is compared on a grid is a picture.

        Args:
            landmarks: by domain.
            volumes: domains of volumes.

        Raises:
            ValueError: a domain or a landmark that is left out is not among them, or a domain of volumes has a grid.
        """
        for domain in volumes:
            if self.whole_pixels or self.grid_of(domain) != Grid():
                raise ValueError(
                    f"Domain {domain!r} must be of pictures to be scored on a grid; got volumes and protocol "
                    f"{self.name!r}. Use protocol 'original'."
                )
        for domain, names in self.left_out.items():
            if domain not in landmarks:
                raise ValueError(f"left_out must name domains among {list(landmarks)}; got {domain!r}. Correct it.")
            unknown = [name for name in names if name not in landmarks[domain]]
            if unknown:
                raise ValueError(
                    f"left_out must name landmarks of domain {domain!r} among {list(landmarks[domain])}; "
                    f"got {unknown}. Correct them."
                )

    def words(self, domains: Iterable[str]) -> dict[str, str]:
        """The protocol in words for some domains, by heading."""
        domains = list(domains)
        grids = {domain: str(self.grid_of(domain)) for domain in domains}
        points = "rounded to whole pixels there" if self.whole_pixels else "sub-pixel"
        sign = "<" if self.strict else "≤"
        left_out = [f"{domain}: {', '.join(self.left_out[domain])}" for domain in domains if self.left_out.get(domain)]
        return {
            "Protocol": self.name,
            "Ground truth": _by_domain({d: self.ground_truth.get(d, "as in the datalist") for d in domains}),
            "Radial error": f"distance between prediction and reference, {points}, on " + _by_domain(grids),
            "Detection rate (SDR)": f"percent of the annotated landmarks within a threshold ({sign}); "
            "not found is a miss",
            "Landmarks left out": "; ".join(left_out) or "none",
        }

    def to_dict(self) -> dict[str, Any]:
        """The protocol as JSON takes it."""
        grids = {domain: _grid_fields(grid) for domain, grid in self.grids.items()}
        return asdict(self) | {"grids": grids, "other_grid": _grid_fields(self.other_grid)}


ORIGINAL = Protocol()
"""Sub-pixel points in pixels of the image files, times their spacing where it is known; ``<=``."""


def named_protocol(
    name: str = "original", *, strict: bool = False, left_out: Mapping[str, Sequence[str]] | None = None
) -> Protocol:
    """A protocol by its name.

    Args:
        name: "original": sub-pixel points in pixels of the image files, times their spacing. "paper": whole pixels of
            the authors' input size, which does not keep the aspect; head 416x512 with 0.46875 mm along both axes (the
            height's; the width's is 0.4651), hand 368x512 with 50 mm between the reference's wrist landmarks on
            the grid, chest 512x512 in its pixels, others with their longest side at 512, in pixels; detection rates
            at 2, 2.5, 3, 4 (hand 2, 4, 10; chest 3, 6, 9).
        strict: see :class:`Protocol`; both count an error that equals the threshold as detected (False).
        left_out: see :class:`Protocol`.

    Raises:
        ValueError: there is no protocol of that name.

    Source: https://github.com/MIRACLE-Center/YOLO_Universal_Anatomical_Landmark_Detection, evaluation.py and datasets/,
    and the paper's table of results.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol must be among {list(PROTOCOLS)}; got {name!r}. Choose one.")
    if name == "original":
        return Protocol(strict=strict, left_out=left_out or {})
    return Protocol(
        name="paper",
        grids={
            "head": Grid(size=(416, 512), scale=(0.46875, 0.46875)),
            "hand": Grid(size=(368, 512), scale=ReferenceLength("wrist_ulnar", "wrist_radial", 50.0)),
            "chest": Grid(size=(512, 512), scale="px"),
        },
        other_grid=Grid(longest_side=512, scale="px"),
        whole_pixels=True,
        strict=strict,
        left_out=left_out or {},
        thresholds={
            "hand": (2.0, 4.0, 10.0),
            "chest": (3.0, 6.0, 9.0),
            "mm": DEFAULT_THRESHOLDS,
            "px": (3.0, 6.0, 9.0),
        },
    )


def _by_domain(words: Mapping[str, str]) -> str:
    """The words once where they are the same for every domain."""
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return "; ".join(f"{domain}: {text}" for domain, text in words.items())


def _grid_fields(grid: Grid) -> dict[str, Any]:
    scale: Any = grid.scale
    if isinstance(scale, ReferenceLength):
        scale = {"between": [scale.first, scale.second], "mm": scale.mm}
    return asdict(grid) | {"scale": scale}
