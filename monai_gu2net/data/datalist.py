# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The datalist: the one JSON file that says which cases a dataset has, and what its domains are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from monai_gu2net.data.checked_case import checked_case
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut, check_fields, read_json, write_json_whole

__all__ = ["SPLITS", "Datalist", "mean_point"]

SPLITS = ("training", "validation", "test")
_FIELDS = {"name", "version", "domains", "origin", "left_out", *SPLITS}


@dataclass
class Datalist:
    """Domains and their cases, split for training, validation and test.

    A case is a dictionary: ``image`` (file), ``domain``, ``case`` (unique within its domain; by default the
    file's name without its ending), ``patient`` (by default the case; words or a whole number, 1 being the same as
    "1"), ``landmarks`` (N points in pixels of the image file, the first pixel's centre at 0, width first; None for an
    absent one; left out where there is no ground truth), ``outside`` (names of landmarks that are None because they
    were annotated outside of the image, see :func:`~monai_gu2net.data.cases_in_frame`), ``doubtful`` (names of
    landmarks that may be annotated wrongly: training and calibration leave them out, evaluation scores with and without
    them),
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
        places: dict[tuple[str, str], str] = {}
        splits: dict[tuple[str, str, str], str] = {}
        for split in SPLITS:
            cases = getattr(self, split)
            for position, case in enumerate(cases):
                where = f"{split}[{position}]"
                cases[position] = case = checked_case(case, self.domains, where)
                domain, name, patient = (case[key] for key in ("domain", "case", "patient"))
                if (domain, name) in places:
                    raise ValueError(
                        f"Case {name!r} of domain {domain!r} must stand in the datalist once; got it at "
                        f"{places[domain, name]} and {where}. Give each case its own 'case'."
                    )
                places[domain, name] = where
                owner = splits.setdefault((domain, "patient", patient), split)
                if owner != split:
                    raise ValueError(
                        f"Patient {patient!r} of domain {domain!r} must stay within one split; got {owner} and "
                        f"{split}. Split by patient."
                    )
                owner = splits.setdefault((domain, "image", os.path.realpath(case["image"])), split)
                if owner != split:
                    raise ValueError(
                        f"{where}: an image of domain {domain!r} must stay within one split; got {case['image']!r} in "
                        f"{owner} and {split}. Take it out of one."
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
        kept = self.with_cases(lambda cases: [case for case in cases if case["domain"] in names])
        return replace(kept, domains={name: self.domains[name] for name in names})

    def with_cases(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Datalist:
        """The datalist with other cases, which the function gives for those of each split."""
        splits: dict[str, Any] = {split: change(getattr(self, split)) for split in SPLITS}
        return replace(self, **splits)

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
        for case in self.cases("all"):
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
        changed = self.with_cases(
            lambda cases: [_annotated(case, annotator) if names[case["domain"]] else dict(case) for case in cases]
        )
        return replace(changed, domains=domains)

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


def _annotated(case: Mapping[str, Any], annotator: str) -> dict[str, Any]:
    """The case with the landmarks of an annotator; without any where it lacks the annotator."""
    sets = case.get("annotators", {})
    chosen = list(sets.values()) if annotator == "mean" else [sets[annotator]] if annotator in sets else []
    kept = {key: value for key, value in case.items() if key not in ("landmarks", "outside")}
    return kept | {"landmarks": [mean_point(points) for points in zip(*chosen, strict=True)]} if chosen else kept


def mean_point(points: Iterable[Sequence[float] | None]) -> list[float] | None:
    """Mean of the points that are there; None without any."""
    given = [point for point in points if point is not None]
    return [sum(values) / len(given) for values in zip(*given, strict=True)] if given else None
