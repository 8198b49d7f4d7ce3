# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the points of structured reports are called, whichever program wrote them.

TID 1500 has no place for a landmark's name, so each program has its own habit:

- this package: the tracking identifier, or the comment and the end of an OHIF tracking identifier;
- OHIF and other viewers with Cornerstone: a tracking identifier for the tool, such as
  ``Cornerstone3DTools@^0.1.0:ArrowAnnotate``, and the name as a comment, or as free text in the finding or its site;
- those who write with dcmqi or highdicom: the finding, and a random tracking identifier for every point; or a tracking
  identifier that is the name.

Source: DICOM PS3.16, TID 1501; @cornerstonejs/adapters 5.14.0 and dcmjs 0.52.0 (adapters for Cornerstone3D and
cornerstoneTools 4); dcmqi's issue 440, a report of landmarks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["POINT_TOOLS", "PointLabels", "cornerstone_tool", "landmark_names"]

POINT_TOOLS = ("ArrowAnnotate", "Probe")
"""Tools of Cornerstone that mark one point; the tip is an arrow's first one."""

_CORNERSTONE = re.compile(r"cornerstone(?:3d)?tools@[^:]*:([^:]*)(?::(.*))?", re.IGNORECASE | re.DOTALL)
_RANDOM = re.compile(r"[{(]?[0-9a-f]+(?:-[0-9a-f]+)*[)}]?|\d+(?:\.\d+){3,}", re.IGNORECASE)  # hexadecimal, UUID, UID
_COUNTED = re.compile(
    r"(?:(?:measurements?|annotation|landmark|fiducial|markup|marker|finding|lesion|point|group|item|roi|[fmp])"
    r"[ _#-]*)*\d+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PointLabels:
    """What a report says of a point that could be its name; "" where it does not.

    Args:
        identifier: tracking identifier.
        comment: of the group.
        free_text: a finding or finding site that Cornerstone keeps free text in.
        finding: meaning of its code.
        site: meanings of the finding sites' codes and their lateralities.
        location: meaning of the code that the point itself is inferred for, such as "Center".
        own: the finding has a code of this package.
    """

    identifier: str = ""
    comment: str = ""
    free_text: str = ""
    finding: str = ""
    site: str = ""
    location: str = ""
    own: bool = False


def cornerstone_tool(identifier: str) -> tuple[str, str] | None:
    """Tool and rest of a tracking identifier of Cornerstone; None of another one.

    Example:
        >>> cornerstone_tool("Cornerstone3DTools@^0.1.0:ArrowAnnotate:sella")
        ('ArrowAnnotate', 'sella')
        >>> cornerstone_tool("sella") is None
        True
    """
    match = _CORNERSTONE.fullmatch(identifier)
    return None if match is None else (match[1], match[2] or "")


def landmark_names(labels: Sequence[PointLabels], images: Sequence[Hashable]) -> list[str]:
    """The name of each point, by one rule over all the reports that are read together.

    1. With a tracking identifier of Cornerstone: the comment; else the free text; else what follows the tool; else the
       finding.
    2. With a finding of this package: the tracking identifier; else the finding.
    3. Else the tracking identifier, unless it names nothing: it is random (hexadecimal, a UUID, a UID) or a number; or,
       with several images, no such identifier is in two of them while findings are. Then the finding, with its site and
       location where the points of an image would else be called alike, and without it where all have the same.
       Where that does not tell them apart it is the identifier, if it is not random.

    Args:
        labels: of each point.
        images: what each point lies in.

    Returns:
        A name each; "" where there is none.
    """
    undecided = [row for row, label in enumerate(labels) if not label.own and not cornerstone_tool(label.identifier)]
    places = [images[row] for row in undecided]
    coded = dict(zip(undecided, _coded([labels[row] for row in undecided], places), strict=True))
    alike = Counter((name, images[row]) for row, name in coded.items())
    telling = {row: name for row, name in coded.items() if alike[name, images[row]] == 1}
    once = (
        len(telling) == len(undecided)
        and max(_images_of(coded.values(), places).values(), default=0) > 1
        and max(_images_of([labels[row].identifier for row in undecided], places).values(), default=0) == 1
    )
    names = []
    for row, label in enumerate(labels):
        tool = cornerstone_tool(label.identifier)
        if tool is not None:
            rest = "" if tool[1].startswith("KeyImage") else tool[1]
            name = label.comment or label.free_text or rest or label.finding
        elif label.own or (_names_something(label.identifier) and not (once and telling.get(row))):
            name = label.identifier or label.finding
        elif _is_random(label.identifier) or not label.identifier:
            name = coded[row]
        else:
            name = telling.get(row) or label.identifier
        names.append(name if label.own else name.strip())
    return names


def _coded(labels: Sequence[PointLabels], images: Sequence[Hashable]) -> list[str]:
    """The findings, with as many of their qualifiers as tell the points of an image apart best."""
    alike = len({label.finding for label in labels}) == 1 and len(set(images)) < len(labels)
    plain = [label.finding for label in labels]
    choices = [
        plain,
        *(
            [
                ", ".join(dict.fromkeys(part for part in (*(() if alike else (one.finding,)), *more(one)) if part))
                for one in labels
            ]
            for more in (lambda one: (one.site,), lambda one: (one.location,), lambda one: (one.site, one.location))
        ),
    ]
    chosen = min(choices, key=lambda names: _clashes(names, images))  # the first of the best
    return [name or finding for name, finding in zip(chosen, plain, strict=True)]


def _clashes(names: Sequence[str], images: Sequence[Hashable]) -> int:
    """How many points are called as an earlier one of their image."""
    return sum(count - 1 for count in Counter(zip(names, images, strict=True)).values())


def _images_of(names: Iterable[str], images: Iterable[Hashable]) -> dict[str, int]:
    """The number of images that each name is in."""
    found: defaultdict[str, set[Hashable]] = defaultdict(set)
    for name, image in zip(names, images, strict=True):
        if name:
            found[name].add(image)
    return {name: len(of) for name, of in found.items()}


def _names_something(identifier: str) -> bool:
    return bool(identifier) and not _is_random(identifier) and not _COUNTED.fullmatch(identifier.strip())


def _is_random(identifier: str) -> bool:
    """Whether it is made by a computer: hexadecimal, a UUID, a UID, or letters and digits all mixed up."""
    text = identifier.strip()
    digits = sum(character.isdigit() for character in text)
    if _RANDOM.fullmatch(text):
        return digits > 0 and len(text) >= 8
    changes = len(re.findall(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", text))
    return len(text) >= 12 and digits >= 3 and changes >= 5 and re.fullmatch(r"[A-Za-z0-9_=+/-]+", text) is not None
