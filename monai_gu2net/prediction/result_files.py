# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The files that a prediction writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from monai_gu2net.data.case_names import case_part
from monai_gu2net.data.domain import Domain
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.secondary_capture import write_secondary_capture
from monai_gu2net.dicom.study_object import Derivation, require_writers
from monai_gu2net.evaluation import measured_table, write_measurements, write_tables
from monai_gu2net.evaluation.case_measurements import MeasuredCase
from monai_gu2net.files import results_of_one_run, writable_folder
from monai_gu2net.landmarks.formats.coco_json import CocoImage, write_coco
from monai_gu2net.transforms import Found, LoadRadiographd, SaveLandmarksd
from monai_gu2net.transforms.result_formats import check_formats
from monai_gu2net.transforms.save import TABLES, coco_image
from monai_gu2net.visualize import draw_landmarks, draw_volume_landmarks, save_picture

__all__ = ["ResultFiles"]


class ResultFiles:
    """Writes a file per case and format, overlays, and the tables of all cases into a folder.

    Args:
        output_dir: the folder; it is made.
        cases: datalist cases, no two of one name; their domain may be None, for it to be told from the image.
        domains: by name, those of the cases.
        formats: of the files, see :meth:`~monai_gu2net.prediction.Predictor.predict_files`.
        overlays: whether ``CASE.png`` is drawn.
        model: name and version of what found the landmarks.
        sop_instance_uids: of the DICOM objects of a single case.

    Attributes:
        saves: what writes the files of a case; where one fails the others can go on.

    Raises:
        ValueError: a format is not known or one of pictures for volumes, or an overlay would replace an image.
        ImportError: a DICOM format is asked for, and the packages that write it are not installed.
        OSError: the folder does not take files.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        cases: Sequence[Mapping[str, Any]],
        *,
        domains: Mapping[str, Domain],
        formats: Sequence[str],
        overlays: bool,
        model: Mapping[str, str],
        sop_instance_uids: Mapping[str, str] | None,
    ) -> None:
        self.folder, self.domains, self.formats, self.model = Path(output_dir), domains, tuple(formats), model
        check_formats(formats, domains)
        self.overlays, self.capture_uid = overlays, (sop_instance_uids or {}).get("sc")
        if "sc" in formats:
            require_writers()
        self.save = save = SaveLandmarksd(
            output_dir=self.folder,
            domains=domains,
            formats=[name for name in formats if name not in ("sc", "coco")],
            model=model,
            sop_instance_uids=sop_instance_uids,
        )
        self.stems = {case["case"]: save.names((case["domain"] or "", case["case"])) for case in cases}
        given = {os.path.realpath(case["image"]) for case in cases}
        pictures = [self.folder / f"{stem}.png" for stem in self.stems.values()] if overlays else []
        replaced = [path.name for path in pictures if os.path.realpath(path) in given]
        if replaced:
            raise ValueError(
                f"An overlay must not replace the image that it is of; {replaced[0]} in output_dir "
                f"{str(output_dir)!r} would. Name another folder."
            )
        writable_folder(self.folder)
        self.saves: list[Callable[[Found], None]] = [self._write]
        self.measured: list[MeasuredCase] = []
        self.coco: list[CocoImage] = []
        if "coco" in formats:
            self.saves.append(self._collect)
        if overlays or "sc" in formats:
            self.saves.append(self._draw)

    def of_one_run(self) -> AbstractContextManager[None]:
        """See :func:`~monai_gu2net.files.results_of_one_run`."""
        own = {*self.stems.values(), *TABLES}
        return results_of_one_run(self.folder, kind="prediction", answers_for=lambda name: case_part(name) in own)

    def write_tables(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write what is about all cases."""
        write_tables(self.folder, {"landmarks": rows})
        if "coco" in self.formats:
            write_coco(self.folder / "coco.json", self.coco)
        measured = measured_table(self.measured)
        if not measured.empty:
            write_measurements(self.folder / "measurements.csv", measured)

    def _write(self, found: Found) -> None:
        self.measured.append((found.case, found.domain.name, found.unit, found.measured(), None))
        self.save.save(found, self.stems[found.case])

    def _collect(self, found: Found) -> None:
        self.coco.append(coco_image(found))

    def _draw(self, found: Found) -> None:
        """The overlay, of a volume a page; a volume is read again, lest several of them wait in memory."""
        image = str(found.image_file)
        captured = found.dims == 2 and "sc" in self.formats and is_dicom(image)
        if not (self.overlays or captured):
            return
        pixels = LoadRadiographd("image")({"image": image})["image"].as_tensor() if found.image is None else found.image
        what: dict[str, Any] = {
            "predicted": found.points_index,
            "names": found.names,
            "confidence": found.confidence,
            "radius": found.radius_index,
            "title": found.case,
        }
        if found.dims == 2:
            picture = draw_landmarks(pixels[:1], **what)
        else:
            affine = found.affine.numpy() if found.unit == "mm" else None
            picture = draw_volume_landmarks(pixels, affine=affine, **what)
        if self.overlays:
            save_picture(picture, self.folder / f"{self.stems[found.case]}.png")
        if captured:
            write_secondary_capture(
                self.folder / f"{self.stems[found.case]}.sc.dcm",
                picture,
                derivation=Derivation(read_header(image), self.model["name"], self.model["version"], self.capture_uid),
            )
