# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which data a run works on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ignite import distributed

from monai_gu2net.data.config_paths import check_not_rewritten
from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.dicom_entries import DicomEntry, read_entries
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.doubtful import without_doubtful
from monai_gu2net.data.outside import ALLOWED_OUTSIDE, datalist_in_frame
from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.reader import is_image
from monai_gu2net.data.volume import VOLUMES
from monai_gu2net.dicom import dicom_files
from monai_gu2net.files import LeftOut, left_out_lines
from monai_gu2net.phantom import make_phantom
from monai_gu2net.phantom.phantom_case import EXAMINATIONS
from monai_gu2net.sources.kinds import recognize_layout
from monai_gu2net.sources.reading import read_layout

__all__ = ["cases_to_predict", "images_in", "open_data"]

_log = logging.getLogger(__name__)


def open_data(
    datalist: str | os.PathLike[str] | None = None,
    dataset_dir: str | os.PathLike[str] | None = None,
    *,
    opened: Datalist | None = None,
    domain: str | None = None,
    domains: Sequence[str] | None = None,
    phantom_dir: str | os.PathLike[str],
    phantom_domains: Sequence[str] = ("head", "hand", "chest"),
    declared: Mapping[str, Mapping[str, Any]] | None = None,
    allow_outside: float = ALLOWED_OUTSIDE,
) -> Datalist:
    """The datalist a run is given, by file or by folder; without either, the phantom's.

    Args:
        datalist: a datalist file; it goes before ``dataset_dir``.
        opened: a datalist that is open already; it goes before both.
        dataset_dir: a folder that holds ``datalist.json``, is one of the paper's dataset layouts, or has such
            folders in it, one a domain.
        domain: name of the domain of ``dataset_dir``, which must be a single dataset without ``datalist.json``; by
            default the layout's or the folder's.
        domains: keep these domains alone; by default all that the data has.
        phantom_dir: where the phantom is drawn when neither is given, as soon as its cases are asked for.
        phantom_domains: those of the phantom, where ``domains`` does not say.
        declared: domains in their JSON form that there is no phantom of. Without data they are known, so that a network
            of them can be built, and to ask for a case is an error.
        allow_outside: share of a domain's landmarks that may lie outside of their images, beside those that the
            datalist itself says do; they are absent.

    Returns:
        The datalist; ``outside`` of its cases says which landmarks lie outside of the image, and its ``left_out`` what
        else was not taken. That an image is not there is for the run to say, which may go on without the case.

    Raises:
        FileNotFoundError: the datalist or the folder is not there.
        ValueError: a path was rewritten (see :func:`~monai_gu2net.data.config_paths.check_not_rewritten`), the data
            breaks a rule or has none of the domains asked for, too many landmarks lie outside of their images, or
            ``domain`` is given for other data than a folder with one dataset.
    """
    check_not_rewritten(datalist=datalist, dataset_dir=dataset_dir, output_dir=Path(phantom_dir).parent)
    if domain is not None and (opened is not None or datalist is not None or dataset_dir is None):
        raise _unnameable(domain, "a datalist" if opened is not None or datalist is not None else "no folder")
    if opened is not None:
        data = opened
    elif datalist is not None:
        data = Datalist.load(datalist)
    elif dataset_dir is not None:
        folder = Path(dataset_dir)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"dataset_dir must be a folder; got {str(folder)!r}, which is not there. Correct the path."
            )
        own = folder / "datalist.json"
        if domain is not None and own.is_file():
            raise _unnameable(domain, "a datalist.json, which names its own")
        data = Datalist.load(own) if own.is_file() else _from_layouts(folder, domain, allow_outside)
    elif declared is not None:
        alone = {each: Domain.from_dict(each, fields) for each, fields in declared.items()}
        return _LazyDatalist("no data", alone, lambda: _no_phantom(alone))
    else:
        names = tuple(domains or phantom_domains)
        if set(names) <= set(EXAMINATIONS):  # else drawing it says what is wrong
            drawn = {name: EXAMINATIONS[name].domain for name in names}
            return _LazyDatalist("phantom", drawn, lambda: _phantom(phantom_dir, names))
        data = _phantom(phantom_dir, names)
    if domains:
        data = data.only(domains)
    data = datalist_in_frame(data, allow_outside=allow_outside)
    training, validation = (without_doubtful(cases, data.domains) for cases in (data.training, data.validation))
    return replace(data, training=training, validation=validation)


def cases_to_predict(
    folder: str | os.PathLike[str] | None, domain: Domain, *, phantom_dir: str | os.PathLike[str]
) -> list[dict[str, Any]]:
    """Cases without landmarks: the images of a folder, see :func:`images_in`; without one, the phantom's test images.

    Args:
        folder: a folder of images of the domain, radiographs or volumes.
        domain: the domain.
        phantom_dir: where the phantom is drawn.

    Raises:
        FileNotFoundError: the folder is not there or has no images.
    """
    check_not_rewritten(dataset_dir=folder, output_dir=Path(phantom_dir).parent)
    if folder is None:
        test = _phantom(phantom_dir, (domain.name,)).test
        return [{key: case[key] for key in ("image", "domain", "case")} for case in test]
    images, passed_over = images_in(folder, dims=domain.dims)
    for line in left_out_lines(passed_over):
        _log.warning("%s", line)
    if not images:
        raise FileNotFoundError(
            f"dataset_dir must be a folder of images; got none in {str(folder)!r}. Correct the path."
        )
    # slices that lie in the folder itself are one image, and it is that folder
    names = [path.relative_to(folder).as_posix() if path != Path(folder) else path.resolve().name for path in images]
    return [{"image": str(path), "domain": domain.name, "case": name} for path, name in zip(images, names, strict=True)]


def images_in(folder: str | os.PathLike[str], *, dims: int = 2) -> tuple[list[Path], list[LeftOut]]:
    """The images of a folder to predict.

    Pictures and volumes lie in the folder itself. DICOM files are also looked for in the folders within, for archives
    and media keep them so, and without an ending; a DICOMDIR is their table of contents and no image. Hidden files are
    left out.

    Args:
        folder: the folder.
        dims: axes of space of the images that are looked for, 2 or 3. With 3, pictures are left out, and the DICOM
            slices of one folder are one image, which is that folder; a multi-frame object that is a volume by itself is
            one, too.

    Returns:
        The images, sorted, with DICOM files that cannot be read among them, whose case fails with its reason; and what
        was left out: DICOM files that are no images, each with what it is, the other files of the folder itself, and
        the folder where it has no image.
    """
    folder = Path(folder)
    entries = {entry.path: entry for entry in read_entries(dicom_files(folder, recursive=True))}

    def seen(pattern: str) -> list[Path]:
        """The other files that are there to be seen, sorted."""
        return [
            path
            for path in sorted(folder.glob(pattern))
            if path.is_file()
            and path not in entries
            and path.name.upper() != "DICOMDIR"
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        ]

    odd = [entry for entry in entries.values() if entry.kind not in ("image", "broken")]
    left_out = [LeftOut("file", entry.path.relative_to(folder).as_posix(), entry.what) for entry in odd]
    kind, endings = ("picture", PICTURES) if dims == 2 else ("volume", VOLUMES)
    plain = []
    for path in seen("*"):
        if not is_image(path):
            left_out.append(LeftOut("file", path.name, "no image of a known kind"))
        elif dims == 3 and path.name.lower().endswith(PICTURES):
            left_out.append(LeftOut("picture", path.name, "the domain is of volumes"))
        else:
            plain.append(path)
    within = [path.relative_to(folder) for path in seen("*/**/*") if path.name.lower().endswith(endings)]
    left_out += [LeftOut(kind, path.as_posix(), "it lies in a folder within") for path in within]
    dicom = [entry for entry in entries.values() if entry not in odd]
    images = sorted([*plain, *([entry.path for entry in dicom] if dims == 2 else _volumes(dicom))])
    if not images:
        left_out.append(LeftOut("folder", folder.name, f"no {kind} in it"))
    return images, left_out


def _volumes(entries: Iterable[DicomEntry]) -> list[Path]:
    """The DICOM volumes: a folder where it holds slices, and else its files, each of which is one by itself."""
    folders: dict[Path, list[DicomEntry]] = {}
    for entry in entries:
        folders.setdefault(entry.path.parent, []).append(entry)
    found: list[Path] = []
    for folder, own in folders.items():
        found += [entry.path for entry in own] if all(entry.is_volume for entry in own) else [folder]
    return found


class _LazyDatalist(Datalist):
    """Cases are made when they are first asked for, so that a network of their domains can be built without them.

    Args:
        name: of the datalist.
        domains: of the datalist.
        make: gives the datalist, of the same name and domains.
    """

    def __init__(self, name: str, domains: Mapping[str, Domain], make: Callable[[], Datalist]) -> None:
        self.name, self.domains, self._make = name, dict(domains), make

    def __getattr__(self, name: str) -> Any:
        """The cases, and whatever else comes with them; it is a plain datalist from then on."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        made = self._make()
        vars(self).clear()
        vars(self).update(vars(made))
        self.__class__ = Datalist  # type: ignore[assignment]
        return getattr(self, name)


def _phantom(folder: str | os.PathLike[str], domains: tuple[str, ...]) -> Datalist:
    """The phantom, drawn by the first process of a run and read by the others."""
    if not set(domains) <= set(EXAMINATIONS):
        _no_phantom(domains)
    _log.warning("No data is given: using the phantom in %s", folder)
    if distributed.get_rank() > 0:
        distributed.barrier()
    try:
        return Datalist.load(make_phantom(folder, domains=domains))
    finally:
        if distributed.get_rank() == 0:  # also when it failed, or the others would wait for ever
            distributed.barrier()


def _no_phantom(domains: Iterable[str]) -> NoReturn:
    raise ValueError(
        f"Data must be given for domains that the phantom, of {list(EXAMINATIONS)}, has not; got {list(domains)} "
        "and no data. Give --datalist or --dataset_dir."
    )


def _unnameable(domain: str, given: str) -> ValueError:
    """The error of a name for the domain of data that is not one folder of one dataset."""
    return ValueError(
        f"domain must name that of a dataset_dir with one dataset; got {domain!r} and {given}. Leave it out; --domains "
        "chooses among the domains of a datalist."
    )


def _from_layouts(folder: Path, name: str | None, allow_outside: float) -> Datalist:
    left_out: list[LeftOut] = []
    try:
        recognize_layout(folder)
        found = [folder]
    except ValueError:
        found = []
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            try:
                recognize_layout(inner)
                found.append(inner)
            except ValueError:
                left_out.append(LeftOut("folder", inner.name, "it has no known layout"))
        if not found:
            raise
    if name is not None and len(found) > 1:
        raise _unnameable(name, f"the datasets {[path.name for path in found]}")
    parts = [read_layout(path, domain=name, allow_outside=allow_outside) for path in found]
    if found != [folder]:
        parts = [part.within(path.name) for path, part in zip(found, parts, strict=True)]
    merged = Datalist.merged(folder.resolve().name, parts)
    return replace(merged, left_out=[*left_out, *merged.left_out])
