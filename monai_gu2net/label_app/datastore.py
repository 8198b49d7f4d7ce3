# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images as MONAI Label's datastore, which keeps landmark labels and loses none."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import DataModel, ImageLabelModel, LocalDatastore, LocalDatastoreModel
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from monai_gu2net.data import Domain
from monai_gu2net.dicom import is_dicom
from monai_gu2net.dicom.header import dicom_files
from monai_gu2net.files import LeftOut, left_out_lines, write_bytes_whole, write_text_whole
from monai_gu2net.label_app.label_frame import axes_of
from monai_gu2net.label_app.labels import LabelRefusedError, check_label
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION

__all__ = ["LandmarkDatastore"]

_log = logging.getLogger(__name__)
_TAGS = ("final", "original")
_VERSIONS = "label_versions"


class LandmarkDatastore(LocalDatastore):
    """The images of a folder, with labels in ``labels/final`` and pre-labels in ``labels/original``.

    A label is a point list of Slicer, ``ID.mrk.json``, and is looked at before it is taken: see
    :func:`~monai_gu2net.label_app.check_label`. Of two annotators who save the same image the later one's label counts,
    and the earlier one's is kept, as every final label that is replaced or removed, in
    ``label_versions/ID/NNNN.mrk.json``; the label's info lists them.

    Unlike MONAI Label's datastore it writes whole files only, and changes its list (``datastore_v2.json``) under a lock
    that starts from what is on disk: the server and the processes that it starts for training and scoring change the
    same list.

    Images with other axes than the domains have, volumes among radiographs or the other way round, are left out with a
    warning. Of volumes a folder within that holds a DICOM series is an image, too.

    Args:
        folder: the images.
        domains: by name, those that a label may be of; all for radiographs, or all for volumes.
        extensions: of images, such as "*.png".
        auto_reload: notice images and labels that are put into the folder.
        read_only: do not look for them at the start.
    """

    _seen: tuple[int, int, int] | None = None  # what the list on disk was when it was read or written last

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        domains: Mapping[str, Domain],
        extensions: Sequence[str],
        auto_reload: bool = False,
        read_only: bool = False,
    ) -> None:
        self.domains = dict(domains)
        self.dims = len(next(iter(self.domains.values())).size)
        self._said: set[str] = set()
        labels = f"*{MARKUPS_EXTENSION}"
        super().__init__(
            os.fspath(folder),
            extensions=[*(name for name in extensions if name != labels), labels],
            auto_reload=auto_reload,
            read_only=read_only,
        )
        if auto_reload:
            self._handler.on_moved = self._on_any_event  # what is written whole comes by a rename

    def reload(self) -> None:
        """Read the list again, where another process has changed it."""
        self._init_from_datastore_file()

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: Mapping[str, Any] | None
    ) -> str:
        """Save a label.

        Args:
            image_id: of the image.
            label_filename: the point list; it is copied.
            label_tag: "final", or "original" for a pre-label.
            label_info: what to note of it; ``domain``, or ``model`` ("gu2net_DOMAIN"), says which domain it is of.

        Returns:
            The label's id, that of the image.

        Raises:
            ImageNotFoundException: there is no such image.
            LabelRefusedError: the file cannot be a label; the earlier one stays.
        """
        if label_tag not in _TAGS:
            raise LabelRefusedError(f"The tag of a label must be among {list(_TAGS)}; got {label_tag!r}. Correct it.")
        self._entry_of(image_id)
        info = dict(label_info or {})
        domain, points = check_label(
            label_filename,
            self.get_image_uri(image_id),
            domains=self.domains,
            domain=_stated_domain(info),
            allow_outside=label_tag == "original",
            called=repr(image_id),
        )
        target = Path(self._datastore.label_path(label_tag)) / f"{image_id}{MARKUPS_EXTENSION}"
        with self._changing():
            entry = self._entry_of(image_id)
            earlier = entry.labels.get(label_tag)
            versions = earlier.info.get("versions", []) if earlier else []
            if label_tag == "final" and target.is_file():
                versions = [*versions, self._keep_version(image_id, target, earlier)]
            write_bytes_whole(target, Path(label_filename).read_bytes())
            info |= {"ts": int(time.time()), "name": target.name, "domain": domain, "set": int(points.present.sum())}
            info |= {"versions": versions} if versions else {}
            entry.labels[label_tag] = DataModel(info=info, ext=MARKUPS_EXTENSION)
        _log.info("Saved a label (%s) of domain %s with %d points set", label_tag, domain, info["set"])
        return image_id

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove a label; a final one is kept as a version."""
        with self._changing():
            label = self._label_of(label_id, label_tag)
            del self._datastore.objects[label_id].labels[label_tag]
            path = Path(self._datastore.label_path(label_tag)) / f"{label_id}{label.ext}"
            if path.is_file():
                if label_tag == "final":
                    self._keep_version(label_id, path, label)
                path.unlink()

    def add_image(self, image_id: str, image_filename: str, image_info: Mapping[str, Any] | None) -> str:
        """Copy an image into the folder; there must not be another one of that id."""
        given, ending = self._to_id(os.path.basename(image_filename))
        image_id = image_id or given
        if not image_id or image_id != os.path.basename(image_id) or image_id.startswith("."):
            raise LabelRefusedError(f"The id of an image must be a file's name; got {image_id!r}. Rename it.")
        if not ending or ending == MARKUPS_EXTENSION:
            raise LabelRefusedError(
                f"The file of an image must have the ending of one, {self._extensions}; that of {image_id!r} has not. "
                "Rename it."
            )
        with self._changing():
            if image_id in self._datastore.objects:
                raise LabelRefusedError(f"The id of a new image must be new; got {image_id!r}. Rename it.")
            target = Path(self._datastore.image_path()) / f"{image_id}{ending}"
            write_bytes_whole(target, Path(image_filename).read_bytes())
            info = {**(image_info or {}), "ts": int(time.time()), "name": target.name}
            self._datastore.objects[image_id] = ImageLabelModel(image=DataModel(info=info, ext=ending))
        return image_id

    def remove_image(self, image_id: str) -> None:
        """Remove an image and its labels; of a link the link, not the file that it leads to."""
        if os.path.isdir(self.get_image_uri(image_id)):
            raise LabelRefusedError(f"An image that is removed must be a file; {image_id!r} is a folder. Move it away.")
        with self._changing():
            for tag in list(self._entry_of(image_id).labels):
                self.remove_label(image_id, tag)
            entry = self._datastore.objects.pop(image_id)  # what is on disk was read again
            (Path(self._datastore.image_path()) / f"{image_id}{entry.image.ext}").unlink(missing_ok=True)

    def update_image_info(self, image_id: str, info: Mapping[str, Any]) -> None:
        """Note something of an image."""
        with self._changing():
            self._entry_of(image_id).image.info.update(info)

    def update_label_info(self, label_id: str, label_tag: str, info: Mapping[str, Any]) -> None:
        """Note something of a label."""
        with self._changing():
            self._label_of(label_id, label_tag).info.update(info)

    @cached_property
    def _guard(self) -> FileLock:
        """Excludes other threads and processes; the thread that holds it may take it again."""
        return FileLock(self._lock_file)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change the list as it is on disk, and write it."""
        with self._guard:
            self._init_from_datastore_file()
            yield
            self._update_datastore_file()

    def _entry_of(self, image_id: str) -> ImageLabelModel:
        entry = self._datastore.objects.get(image_id)
        if entry is None:
            raise ImageNotFoundException(f"The image must be in the datastore; got {image_id!r}. Reload the list.")
        return entry

    def _label_of(self, label_id: str, label_tag: str) -> DataModel:
        label = self._datastore.label(label_id, label_tag)
        if label is None:
            raise LabelNotFoundException(f"The label must be there; got {label_id!r} ({label_tag!r}).")
        return label

    def _keep_version(self, image_id: str, label: Path, entry: DataModel | None) -> dict[str, Any]:
        """Keep a label's file under a number, and say what was noted of it."""
        folder = Path(self._datastore_path) / _VERSIONS / image_id
        numbers = [int(path.name.removesuffix(MARKUPS_EXTENSION)) for path in folder.glob(f"*{MARKUPS_EXTENSION}")]
        name = f"{1 + max(numbers, default=0):04d}{MARKUPS_EXTENSION}"
        write_bytes_whole(folder / name, label.read_bytes())
        noted = {} if entry is None else entry.info
        return {"name": name, **{key: noted[key] for key in ("ts", "client_id", "user") if noted.get(key)}}

    # What follows is called by LocalDatastore.

    def _to_id(self, file: str) -> tuple[str, str]:
        endings = sorted((name.replace("*", "") for name in self._extensions), key=len, reverse=True)
        ending = next((each for each in endings if file.lower().endswith(each)), "")
        return (file[: -len(ending)], file[-len(ending) :]) if ending else (file, "")

    def _list_files(self, path: str, patterns: Sequence[str]) -> dict[str, str]:
        """The images of a folder, or the labels of one of its folders of labels; one of each id."""
        of_labels = os.path.realpath(path) != os.path.realpath(self._datastore.image_path())
        found: dict[str, str] = {}
        left_out: list[LeftOut] = []
        for name in sorted(os.listdir(path)):
            image_id, ending = self._to_id(name)
            is_series = not of_labels and self._is_series(Path(path, name))
            if not of_labels and (reason := self._unfit(Path(path, name), ending)):
                left_out.append(LeftOut("image", name, reason))
            elif is_series or (ending and (ending == MARKUPS_EXTENSION) == of_labels and not name.startswith(".")):
                if image_id in found:
                    _log.warning("Passed over %s: %s has the same name but for its ending", name, found[image_id])
                found.setdefault(image_id, name)
        for line in left_out_lines(item for item in left_out if item.name not in self._said):
            _log.warning("%s", line)
        self._said |= {item.name for item in left_out}
        return {name: name for name in found.values()}

    def _is_series(self, path: Path) -> bool:
        """Whether it is a folder of DICOM files, which is an image where the domains are of volumes."""
        return self.dims == 3 and not path.name.startswith(".") and path.is_dir() and bool(dicom_files(path))

    def _unfit(self, path: Path, ending: str) -> str:
        """Why something in the folder is no image for the domains, though it is one; empty: there is no reason."""
        if path.name.startswith(".") or ending == MARKUPS_EXTENSION or (not ending and not path.is_dir()):
            return ""
        if path.is_dir():
            if dicom_files(path):
                advice = "for it is a folder of DICOM files, which is not looked into; put them beside the others"
                return "" if self.dims == 3 else advice
            deeper = any(dicom_files(each) for each in path.iterdir() if each.is_dir())
            return "for its DICOM files lie in folders within; move those here" if deeper else ""
        if self.dims == 2 and is_dicom(path):
            return ""  # a file's single image, but for odd ones, which are not worth a look into each of them
        axes = axes_of(path)
        wanted = {2: "radiographs, and it is a volume", 3: "volumes, and it has two axes"}[self.dims]
        return f"for the model is of {wanted}" if axes not in (None, self.dims) else ""

    def _remove_non_existing(self) -> int:
        """Take what is gone off the list, and images without labels that a model of other images has left there."""
        gone = int(super()._remove_non_existing())
        objects = self._datastore.objects
        folder = Path(self._datastore.image_path())
        unfit = [
            image_id
            for image_id, entry in objects.items()
            if not entry.labels and self._unfit(folder / f"{image_id}{entry.image.ext}", entry.image.ext)
        ]
        for image_id in unfit:
            del objects[image_id]
        return gone + len(unfit)

    def _reconcile_datastore(self) -> None:
        with self._guard:
            self._init_from_datastore_file()
            super()._reconcile_datastore()

    def _init_from_datastore_file(self, throw_exception: bool = False) -> None:
        with self._guard:
            stamp = self._stamp()
            if stamp is None or stamp == self._seen:
                return
            try:
                content = Path(self._datastore_config_path).read_text(encoding="utf-8")
                self._datastore = LocalDatastoreModel.model_validate_json(content)
            except ValueError as error:
                if throw_exception:
                    raise ValueError(
                        f"{self._datastore_config_path} must be MONAI Label's list of images; it is not. Move it away."
                    ) from error
                _log.warning("The list of images was damaged from outside; going on with the one before")
                return
            self._datastore.base_path = self._datastore_path
            self._seen = stamp

    def _update_datastore_file(self, lock: bool = True) -> None:
        with self._guard:
            path = Path(self._datastore_config_path)
            content = self._datastore.model_dump(exclude={"base_path"})
            write_text_whole(path, json.dumps(content, indent=2, default=str))
            self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int, int] | None:
        """Tells one state of the list on disk from another."""
        try:
            status = os.stat(self._datastore_config_path)
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _stated_domain(info: Mapping[str, Any]) -> str | None:
    """The domain that a client or the app says a label is of."""
    if info.get("domain"):
        return str(info["domain"])
    model = str(info.get("model") or "")
    return model.removeprefix("gu2net_") if model.startswith("gu2net_") else None
