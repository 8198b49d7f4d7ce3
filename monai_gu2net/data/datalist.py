# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The datalist: the one JSON file that says which cases a dataset has, and what its domains are."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

from monai_gu2net.data.case_names import image_name
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut, check_fields, read_json, write_json_whole

__all__ = ["SPLITS", "Datalist", "mean_point"]

SPLITS = ("training", "validation", "test")
_CASE_FIELDS = {"image", "domain", "case", "patient", "landmarks", "outside", "annotators", "spacing"}
_FIELDS = {"name", "version", "domains", "origin", "left_out", *SPLITS}


@dataclass
class Datalist:
    """Domains and their cases, split for training, validation and test.

    A case is a dictionary: ``image`` (file), ``domain``, ``case`` (unique within its domain; by default the
    file's name without its ending), ``patient`` (by default the case; words or a whole number, 1 being the same as
    "1"), ``landmarks`` (N points in pixels of the image file, the first pixel's centre at 0, width first; None for an
    absent one; left out where there is no ground truth), ``outside`` (names of landmarks that are None because they
    were annotated outside of the image, see :func:`~monai_gu2net.data.cases_in_frame`),
    ``annotators`` (name -> N points as in ``landmarks``, where more than one annotated the image; ``landmarks`` is the
    ground truth chosen among them) and ``spacing`` (mm per pixel, where it differs from the domain's).

    Args:
        name: what the results call this dataset.
        domains: by name, in the order of the network's domains.
        training, validation, test: cases.
        origin: how the cases came about, for whoever made them; any JSON object, None where nothing is said.
        left_out: what the data had beside its cases and why it was not taken, for reports to say.

    Raises:
        ValueError: a case breaks a rule, or a patient or an image of a domain stands in two splits; the message names
            the case.
    """

    name: str
    domains: dict[str, Domain]
    training: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    test: list[dict[str, Any]] = field(default_factory=list)
    origin: dict[str, Any] | None = None
    left_out: Sequence[LeftOut] = ()

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError("A datalist must declare at least one domain; got none. Add it under 'domains'.")
        seen: dict[tuple[str, str], str] = {}
        patients: dict[tuple[str, str], str] = {}
        images: dict[tuple[str, str], str] = {}
        for split in SPLITS:
            cases = getattr(self, split)
            for position, case in enumerate(cases):
                where = f"{split}[{position}]"
                cases[position] = case = self._checked(case, where)
                key = (case["domain"], case["case"])
                if key in seen:
                    raise ValueError(
                        f"Case {key[1]!r} of domain {key[0]!r} must stand in the datalist once; "
                        f"got it at {seen[key]} "
                        f"and {where}. Give each case its own 'case'."
                    )
                seen[key] = where
                owner = patients.setdefault((case["domain"], case["patient"]), split)
                if owner != split:
                    raise ValueError(
                        f"Patient {case['patient']!r} of domain {case['domain']!r} must stay within one "
                        f"split; got {owner} and {split}. Split by patient."
                    )
                of_image = images.setdefault((case["domain"], os.path.realpath(case["image"])), split)
                if of_image != split:
                    raise ValueError(
                        f"{where}: an image of domain {case['domain']!r} must stay within one split; got "
                        f"{case['image']!r} in {of_image} and {split}. Take it out of one."
                    )

    def cases(self, split: str) -> list[dict[str, Any]]:
        """The cases of one split, or of "all".

        Raises:
            ValueError: there is no such split.
        """
        if split not in (*SPLITS, "all"):
            raise ValueError(f"split must be among {[*SPLITS, 'all']}; got {split!r}. Correct it.")
        return [case for name in SPLITS if split in (name, "all") for case in getattr(self, name)]

    @property
    def landmark_counts(self) -> dict[str, int]:
        """Number of landmarks by domain: the network's ``out_channels``."""
        return {name: len(domain.landmarks) for name, domain in self.domains.items()}

    @property
    def channel_counts(self) -> dict[str, int]:
        """Number of image channels by domain: the network's ``in_channels``."""
        return {name: domain.in_channels for name, domain in self.domains.items()}

    def only(self, names: Iterable[str]) -> Datalist:
        """The part of the datalist that belongs to some of its domains, in the order given.

        Raises:
            ValueError: a name is not among the domains.
        """
        names = list(names)
        unknown = [name for name in names if name not in self.domains]
        if unknown:
            raise ValueError(
                f"Domains must be among {list(self.domains)}; got {unknown}. Correct the names or the datalist."
            )
        splits: dict[str, Any] = {
            split: [case for case in getattr(self, split) if case["domain"] in names] for split in SPLITS
        }
        return replace(self, domains={name: self.domains[name] for name in names}, **splits)

    @classmethod
    def merged(cls, name: str, parts: Sequence[Datalist]) -> Datalist:
        """The domains of several datalists, with their cases, their origins by name and what was left out of them.

        Raises:
            ValueError: two of them have a domain of the same name.
        """
        names = [domain for part in parts for domain in part.domains]
        repeated = sorted({domain for domain in names if names.count(domain) > 1})
        if repeated:
            raise ValueError(
                f"Datasets to be merged must be of different domains; got {repeated} more than once. "
                "Prepare a datalist of each with its own --domain, and merge them."
            )
        splits: dict[str, Any] = {split: [case for part in parts for case in getattr(part, split)] for split in SPLITS}
        origins = {part.name: part.origin for part in parts if part.origin is not None}
        return cls(
            name,
            {domain: fields for part in parts for domain, fields in part.domains.items()},
            **splits,
            origin=parts[0].origin if len(parts) == 1 else origins or None,
            left_out=[item for part in parts for item in part.left_out],
        )

    def within(self, folder: str) -> Datalist:
        """The same, what was left out found by the name of its folder as well."""
        return replace(self, left_out=[item.within(folder) for item in self.left_out])

    def annotated_by(self, annotator: str) -> Datalist:
        """The datalist with another ground truth, of those that its cases hold under ``annotators``.

        A domain none of whose cases has annotators has one ground truth alone and keeps it.

        Args:
            annotator: a name, or "mean": the mean of all annotators of a case; a point that one of them left out
                is that of the others.

        Returns:
            A new datalist. Cases without the annotator have no ``landmarks``; the domains' ``ground_truth`` says
            who annotated.

        Raises:
            ValueError: no case has the annotator.
        """
        names: dict[str, dict[str, None]] = {}
        for split in SPLITS:
            for case in getattr(self, split):
                names.setdefault(case["domain"], {}).update(dict.fromkeys(case.get("annotators", ())))
        annotators = sorted({who for found in names.values() for who in found})
        if annotator not in annotators and not (annotator == "mean" and annotators):
            raise ValueError(
                f"annotator must be 'mean' or among those of the datalist {annotators}; got {annotator!r}. Choose one, "
                "or prepare the datalist anew from a dataset that has it."
            )
        domains = {
            name: replace(
                domain, ground_truth=f"mean of {' and '.join(names[name])}" if annotator == "mean" else annotator
            )
            if names.get(name)
            else domain
            for name, domain in self.domains.items()
        }
        splits: dict[str, Any] = {
            split: [
                _annotated(case, annotator) if names[case["domain"]] else dict(case) for case in getattr(self, split)
            ]
            for split in SPLITS
        }
        return replace(self, domains=domains, **splits)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Datalist:
        """Read a datalist; images are taken relative to its folder.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not JSON or breaks a rule; the message names the file and the place.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"The datalist must be a file; got {str(path)!r}, which is not there. "
                "Make one with 'python -m monai_gu2net prepare'."
            )
        try:
            return cls._from_json(read_json(path), path.parent)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the datalist, whole or not at all; images are written relative to its folder."""
        path = Path(path)
        folder = path.parent.resolve()
        content: dict[str, Any] = {
            "name": self.name,
            "version": 1,
            "domains": {name: domain.to_dict() for name, domain in self.domains.items()},
        }
        if self.origin is not None:
            content["origin"] = self.origin
        if self.left_out:
            content["left_out"] = [asdict(item) for item in self.left_out]
        for split in SPLITS:
            content[split] = [
                case | {"image": os.path.relpath(Path(case["image"]).resolve(), folder)}
                for case in getattr(self, split)
            ]
        return write_json_whole(path, content)

    @classmethod
    def _from_json(cls, content: Any, folder: Path) -> Datalist:
        if not isinstance(content, Mapping) or not isinstance(content.get("domains"), Mapping):
            raise ValueError("a datalist must be an object with 'domains'; see the how-to on datalists. Add it.")
        check_fields(content, _FIELDS, where="a datalist")
        if content.get("version", 1) != 1:
            raise ValueError(f"version must be 1; got {content['version']!r}. Update monai_gu2net.")
        origin = content.get("origin")
        if origin is not None and not isinstance(origin, dict):
            raise ValueError(f"origin must be an object; got {origin!r}. Correct it or leave it out.")
        left_out = content.get("left_out") or []
        try:
            left_out = tuple(LeftOut(**item) for item in left_out)
        except TypeError as error:
            raise ValueError(
                f"left_out must be a list of objects with what, name and reason; got {left_out!r}. Leave it out."
            ) from error
        splits: dict[str, Any] = {}
        for split in SPLITS:
            splits[split] = []
            cases = content.get(split, [])
            if not isinstance(cases, list):
                raise ValueError(f"{split} must be a list of cases; got {cases!r:.80}. Put them in brackets.")
            for position, case in enumerate(cases):
                if not isinstance(case, Mapping) or not isinstance(case.get("image"), str) or not case["image"]:
                    raise ValueError(f"{split}[{position}] must be an object with 'image'; got {case!r}. Add the file.")
                splits[split].append({**case, "image": str(folder / case["image"])})
        domains = {name: Domain.from_dict(name, fields) for name, fields in content["domains"].items()}
        return cls(str(content.get("name", folder.name)), domains, **splits, origin=origin, left_out=left_out)

    def _checked(self, case: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The case with its defaults filled in."""
        check_fields(case, _CASE_FIELDS, where=where)
        case = {key: value for key, value in case.items() if value is not None}
        case |= {key: _identity(case[key], f"{where}: {key}") for key in ("case", "patient") if key in case}
        if "image" not in case:
            raise ValueError(f"{where} must have 'image'; got {sorted(case)}. Add the file.")
        if case.get("domain") is None and len(self.domains) == 1:
            case = {**case, "domain": next(iter(self.domains))}
        if case.get("domain") not in self.domains:
            raise ValueError(
                f"{where}: domain must be among {list(self.domains)}; got {case.get('domain')!r}. "
                "Declare it under 'domains'."
            )
        domain = self.domains[case["domain"]]
        dims = len(domain.size)
        name = str(case.get("case") or image_name(Path(case["image"])))
        checked = {**case, "case": name, "patient": case.get("patient", name)}
        where = f"{where} (case {name!r})"
        if case.get("landmarks") is not None:
            checked["landmarks"] = _points(case["landmarks"], domain, where)
        if "outside" in case:
            outside = case["outside"] if isinstance(case["outside"], list) else [None]
            if not set(map(str, outside)) <= set(domain.landmarks):
                raise ValueError(
                    f"{where}: outside must be a list of landmarks among {list(domain.landmarks)}; got "
                    f"{case['outside']!r}. Leave it out."
                )
        if "annotators" in case:
            annotators = case["annotators"]
            if not isinstance(annotators, Mapping) or not all(isinstance(who, str) and who for who in annotators):
                raise ValueError(
                    f"{where}: annotators must be an object of points by name; got {annotators!r}. Name each one."
                )
            checked["annotators"] = {
                who: _points(points, domain, f"{where}, annotator {who!r}") for who, points in annotators.items()
            }
        if "spacing" in case:
            spacing = _numbers(case["spacing"])
            if spacing is None or len(spacing) != dims or not all(0 < s < math.inf for s in spacing):
                raise ValueError(
                    f"{where}: spacing must be {dims} positive numbers; got {case['spacing']!r}. "
                    "Leave it out if unknown."
                )
            checked["spacing"] = spacing
        return checked


def _annotated(case: Mapping[str, Any], annotator: str) -> dict[str, Any]:
    """The case with the landmarks of an annotator; without any where it lacks the annotator."""
    sets = case.get("annotators", {})
    chosen = list(sets.values()) if annotator == "mean" else [sets[annotator]] if annotator in sets else []
    kept = {key: value for key, value in case.items() if key not in ("landmarks", "outside")}
    return kept | {"landmarks": [mean_point(points) for points in zip(*chosen, strict=True)]} if chosen else kept


def _identity(value: Any, what: str) -> str:
    """What identifies a case or a patient, as words: 1 and "1" are the same, and so are both Unicode forms."""
    if isinstance(value, bool) or not isinstance(value, str | Integral) or not str(value).strip():
        raise ValueError(f"{what} must be words or a whole number; got {value!r}. Leave it out if it is not known.")
    return unicodedata.normalize("NFC", str(value).strip())


def mean_point(points: Iterable[Sequence[float] | None]) -> list[float] | None:
    """Mean of the points that are there; None without any."""
    given = [point for point in points if point is not None]
    return [sum(values) / len(given) for values in zip(*given, strict=True)] if given else None


def _points(landmarks: Any, domain: Domain, where: str) -> list[list[float] | None]:
    """The landmarks of one annotation in the domain's order."""
    if isinstance(landmarks, Mapping):
        strange = [key for key in landmarks if key not in domain.landmarks]
        if strange:
            raise ValueError(
                f"{where}: landmarks must be named among {list(domain.landmarks)}; got {strange}. Correct them."
            )
        landmarks = [landmarks.get(key) for key in domain.landmarks]
    count = len(landmarks) if isinstance(landmarks, Sized) else landmarks
    if count != len(domain.landmarks):
        raise ValueError(
            f"{where}: landmarks must be {len(domain.landmarks)} points, as in domain {domain.name!r}; "
            f"got {count!r}. Write null for an absent one."
        )
    return [
        _point(point, len(domain.size), f"{where}: landmark {name!r}")
        for name, point in zip(domain.landmarks, landmarks, strict=True)
    ]


def _point(point: Any, dims: int, where: str) -> list[float] | None:
    """A point as numbers; None where it is absent."""
    if point is None:
        return None
    numbers = _numbers(point)
    if numbers is None or len(numbers) != dims or any(math.isinf(p) for p in numbers):
        raise ValueError(f"{where} must be {dims} numbers or null; got {point!r}. Correct it.")
    return None if any(math.isnan(p) for p in numbers) else numbers


def _numbers(values: Any) -> list[float] | None:
    """A list of floats; None where it is not one, as a word is, or has True or False in it."""
    if isinstance(values, str | Mapping):
        return None
    try:
        if any(isinstance(value, bool) for value in values):
            return None
        return [float(value) for value in values]
    except (TypeError, ValueError):
        return None
