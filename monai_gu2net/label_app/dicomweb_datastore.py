# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The radiographs of a DICOMweb server as MONAI Label's datastore."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.datastore.local import DataModel, ImageLabelModel

from monai_gu2net.connections import DicomWebServer, RefusedError, RemoteInstance, UnreachableError
from monai_gu2net.data import Domain
from monai_gu2net.files import whole_file
from monai_gu2net.label_app.datastore import LandmarkDatastore

__all__ = ["DicomWebLandmarks"]

_log = logging.getLogger(__name__)
_ENDING = ".dcm"
_ASKED_EVERY_S = 30.0


class DicomWebLandmarks(LandmarkDatastore):
    """The images of a DICOMweb server, fetched into a folder when they are needed, with their labels in that folder.

    An image is an instance, by its SOP Instance UID: a series may hold several projections. MONAI Label's own datastore
    takes a series for a volume and sends labels as segmentations, which point lists are not; here labels stay in the
    folder, in the way of :class:`LandmarkDatastore`. No identity is noted, but the files are as the server has them.

    Args:
        server: where the images are.
        folder: takes images, labels and the list of both.
        domains: by name, those that a label may be of.
        filters: of what is listed, see :meth:`~monai_gu2net.connections.DicomWebServer.find`.
    """

    def __init__(
        self,
        server: DicomWebServer,
        folder: str | os.PathLike[str],
        *,
        domains: Mapping[str, Domain],
        filters: Mapping[str, str] | None = None,
    ) -> None:
        self.server, self.filters = server, filters
        self._asked = -_ASKED_EVERY_S
        super().__init__(folder, domains=domains, extensions=[f"*{_ENDING}"])

    def name(self) -> str:
        """The server's address."""
        return self.server.url

    def reload(self) -> None:
        """Read the list again, and now and then ask the server what is new."""
        super().reload()
        if time.monotonic() - self._asked >= _ASKED_EVERY_S:
            self.refresh()

    def get_image_uri(self, image_id: str) -> str:
        """The file of an image, fetched at the first time; "" for an unknown one.

        Raises:
            UnreachableError, RefusedError: the server does not give it.
        """
        entry = self._datastore.objects.get(image_id)
        if entry is None:
            return ""
        path = Path(self._datastore.image_path()) / f"{image_id}{_ENDING}"
        if not path.is_file():
            info = entry.image.info
            instance = RemoteInstance(info["StudyInstanceUID"], info["SeriesInstanceUID"], image_id)
            with whole_file(path) as temporary:
                self.server.retrieve(instance, temporary)
        return os.path.realpath(path)

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """What is noted of an image."""
        entry = self._datastore.objects.get(image_id)
        return {} if entry is None else dict(entry.image.info)

    def datalist(self, full_path: bool = True) -> list[dict[str, Any]]:
        """Files of labelled images and of their labels."""
        for image_id in self.get_labeled_images():
            self.get_image_uri(image_id)
        pairs: list[dict[str, Any]] = super().datalist(full_path)
        return pairs

    # What follows is called by LocalDatastore.

    def _add_non_existing_images(self) -> int:
        """List what the server has; where it is away, what is listed stays."""
        self._asked = time.monotonic()
        try:
            found = self.server.find(filters=self.filters)
        except (UnreachableError, RefusedError) as error:
            _log.warning("%s The images known before are listed.", error)
            return 0
        objects = self._datastore.objects
        there = {instance.sop_uid: instance for instance in found}
        gone = [image_id for image_id, entry in objects.items() if image_id not in there and not entry.labels]
        for image_id in gone:
            del objects[image_id]
        new = [instance for image_id, instance in there.items() if image_id not in objects]
        for instance in new:
            info = {
                "ts": int(time.time()),
                "name": f"{instance.sop_uid}{_ENDING}",
                "StudyInstanceUID": instance.study_uid,
                "SeriesInstanceUID": instance.series_uid,
            }
            objects[instance.sop_uid] = ImageLabelModel(image=DataModel(info=info, ext=_ENDING))
        return len(gone) + len(new)

    def _remove_non_existing(self) -> int:
        """Take labels without a file off the list; images need none."""
        gone = [
            (entry, tag)
            for image_id, entry in self._datastore.objects.items()
            for tag, label in entry.labels.items()
            if not (Path(self._datastore.label_path(tag)) / f"{image_id}{label.ext}").is_file()
        ]
        for entry, tag in gone:
            del entry.labels[tag]
        return len(gone)
