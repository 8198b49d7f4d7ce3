# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where answers go: another DICOM application, or a folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from monai_gu2net.connections.extra import dicom_extra
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.files import writable_folder, write_durably

__all__ = [
    "ApplicationDestination",
    "DeferredError",
    "Destination",
    "FolderDestination",
    "RefusedError",
    "UnreachableError",
]

_DUPLICATE = 0x0111
_NEVER = (0x0106, 0x0122, 0x0124)  # invalid attribute value, SOP class not supported, not authorized


class UnreachableError(OSError):
    """The destination does not take anything at the moment; trying later is worth it."""


class DeferredError(UnreachableError):
    """The destination is there and does not take this object at the moment; others it may take."""


class RefusedError(ValueError):
    """The destination does not take this object, now or later."""


class Destination(Protocol):
    """Takes the answers of one image. Taking them twice must be as good as taking them once."""

    def deliver(self, files: Sequence[Path]) -> None:
        """Take files; when this returns, they are the destination's.

        Args:
            files: DICOM files.

        Raises:
            DeferredError: none or only some were taken; try all again later, and the answers of other images now.
            UnreachableError: none or only some were taken, nor are others now; try all again later.
            RefusedError: one will never be taken.
        """


class FolderDestination:
    """A folder; a file that is there already is replaced by the same one. The umask says who can read it.

    Args:
        folder: it is made.

    Raises:
        OSError: it does not take files.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = writable_folder(folder)

    def deliver(self, files: Sequence[Path]) -> None:
        """See :class:`Destination`."""
        try:
            for path in files:
                write_durably(self.folder / path.name, path.read_bytes(), mode=0o666)
        except OSError as error:
            raise UnreachableError(f"The folder of the answers must take them; got: {error.strerror}.") from None


class ApplicationDestination:
    """An application entity that takes C-STORE requests, such as a PACS.

    Args:
        ae_title: the destination's.
        host: its name or address.
        port: its port.
        calling_ae_title: our own, as the destination knows it.
        timeout_s: to connect, and for each of its responses.

    Source: DICOM PS3.4, Annex B (storage service class; statuses in B.2.3) and PS3.7, C (statuses of all services).
    """

    def __init__(
        self, ae_title: str, host: str, port: int, *, calling_ae_title: str = "GU2NET", timeout_s: float = 30.0
    ) -> None:
        self.ae_title, self.host, self.port = ae_title, host, port
        self.calling_ae_title, self.timeout_s = calling_ae_title, timeout_s

    def deliver(self, files: Sequence[Path]) -> None:
        """See :class:`Destination`."""
        with dicom_extra("sending answers"):
            import pydicom
            from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
            from pynetdicom import AE
        application = AE(ae_title=self.calling_ae_title)
        application.acse_timeout = application.dimse_timeout = application.network_timeout = self.timeout_s
        application.connection_timeout = self.timeout_s
        with silent_pydicom(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the interpreter, of sockets that pynetdicom leaves open
            answers = [pydicom.dcmread(path) for path in files]
            for sop_class in dict.fromkeys(answer.SOPClassUID for answer in answers):
                for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
                    application.add_requested_context(sop_class, syntax)
            association = application.associate(self.host, self.port, ae_title=self.ae_title)
            try:
                if not association.is_established:
                    raise UnreachableError("The destination must accept an association; it is away or refuses ours.")
                for answer in answers:
                    try:
                        status = association.send_c_store(answer).get("Status")
                    except ValueError:  # with the reason in words that may hold anything
                        raise DeferredError(
                            f"The destination must accept {answer.SOPClassUID.name}; it does not. Set it up to."
                        ) from None
                    _judge(status, answer.SOPClassUID.name)
            finally:
                if association.is_established:
                    association.release()


def _judge(status: int | None, what: str) -> None:
    """Nothing for a success or a warning, an error for the others."""
    if status is None:
        raise UnreachableError(f"The destination must reply to a {what}; it did not.")
    if status in (0x0000, _DUPLICATE) or 0xB000 <= status <= 0xBFFF:
        return
    message = f"The destination must store a {what}; it replied 0x{status:04X}."
    if status in _NEVER or 0xA900 <= status <= 0xA9FF or 0xC000 <= status <= 0xCFFF:
        raise RefusedError(message)
    raise DeferredError(message)
