# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Receiving radiographs by C-STORE into a spool."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from monai_gu2net.connections.extra import dicom_extra
from monai_gu2net.connections.spool import Spool, SpoolFullError

__all__ = ["OPTIONAL_CLASSES", "Listener"]

_log = logging.getLogger(__name__)

_SUCCESS, _OUT_OF_RESOURCES, _PROCESSING_FAILURE = 0x0000, 0xA700, 0x0110
_MAX_SILENCE_S = 10.0  # of a connection that does not say who it is, and keeps others from connecting
_MAX_PDU = 128 * 1024
_MAX_ANY_PDU = 2**20  # a request for an association is no data and may be longer; this is far above any

_CLASSES = (
    "1.2.840.10008.1.1",  # verification, which C-ECHO uses
    "1.2.840.10008.5.1.4.1.1.1",  # CR
    "1.2.840.10008.5.1.4.1.1.1.1",  # DX for presentation
)
OPTIONAL_CLASSES = {"XA": "1.2.840.10008.5.1.4.1.1.12.1", "SC": "1.2.840.10008.5.1.4.1.1.7"}
"""SOP classes that are accepted where they are asked for: X-ray angiography, secondary capture."""


class Listener:
    """A storage SCP that answers a C-STORE request with success once the image is safely in the spool.

    CR and DX images in every transfer syntax that the reader reads are accepted, from applications of the list that
    call this one by its name; other associations are rejected. A full spool answers 0xA700, out of resources, and keeps
    nothing of the image. What was sent is not looked at here: it goes into the spool as it came. There is no TLS.

    Args:
        spool: where images go.
        allowed: AE titles of the applications that may send.
        ae_title: its own.
        host: the address to listen at; only this machine by default.
        port: 0 takes a free one.
        also: keys of ``OPTIONAL_CLASSES``.
        max_image_bytes: of one image; an association that sends more is aborted.
        max_associations: at one time; together with the size they bound the memory.
        timeout_s: for a peer that falls silent.

    Raises:
        ImportError: pynetdicom is absent.
        ValueError: nobody is allowed, an AE title is none, or a class is not known.

    Source: DICOM PS3.4, Annex B (storage service class; statuses in B.2.3) and PS3.8, 9.3.4 (rejecting associations).
    """

    def __init__(
        self,
        spool: Spool,
        *,
        allowed: Sequence[str],
        ae_title: str = "GU2NET",
        host: str = "127.0.0.1",
        port: int = 11112,
        also: Sequence[str] = (),
        max_image_bytes: int = 256 * 2**20,
        max_associations: int = 4,
        timeout_s: float = 60.0,
    ) -> None:
        for title in (ae_title, *allowed):
            if not (0 < len(title.strip()) <= 16 and title.isascii() and title.isprintable() and "\\" not in title):
                raise ValueError(f"An AE title must be 1 to 16 printable characters; got {title!r}. Correct it.")
        if not allowed:
            raise ValueError("allowed must name the applications that may send; got none. Give their AE titles.")
        unknown = [name for name in also if name not in OPTIONAL_CLASSES]
        if unknown:
            raise ValueError(f"also must be among {list(OPTIONAL_CLASSES)}; got {unknown}. Leave them out.")
        with dicom_extra("listening for images"):
            from pynetdicom import AE, evt

            from monai_gu2net.dicom.decoding import CODECS
        self.spool, self.ae_title, self.host, self.port = spool, ae_title, host, port
        self.max_image_bytes = max_image_bytes
        application = AE(ae_title=ae_title)
        application.require_called_aet = True
        application.require_calling_aet = list(allowed)
        application.maximum_pdu_size = _MAX_PDU
        application.maximum_associations = max_associations
        application.acse_timeout = min(timeout_s, _MAX_SILENCE_S)
        application.dimse_timeout = application.network_timeout = timeout_s
        # of those that a peer offers the first one is taken: explicit little endian, else as the reader lists them
        syntaxes = sorted(CODECS, key="1.2.840.10008.1.2.1".__ne__)
        for sop_class in (*_CLASSES, *(OPTIONAL_CLASSES[name] for name in also)):
            application.add_supported_context(sop_class, syntaxes)
        self._application = application
        self._received: dict[threading.Thread, int] = {}
        self._handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_CONN_OPEN, _bound_pdus),
            (evt.EVT_PDU_RECV, self._count),
            (evt.EVT_DIMSE_RECV, self._forget),
            (evt.EVT_CONN_CLOSE, self._forget),
            (evt.EVT_REJECTED, _rejected),
        ]
        self._server: Any = None

    def start(self) -> tuple[str, int]:
        """Listen, in threads of its own.

        Returns:
            Address and port.

        Raises:
            OSError: the port is taken, or the address is not this machine's.
        """
        try:
            self._server = self._application.start_server(
                (self.host, self.port), block=False, evt_handlers=self._handlers
            )
        except OSError as error:
            raise OSError(
                f"The listener must have {self.host}:{self.port}; got: {error.strerror}. Choose another port or host."
            ) from None
        host, port = self._server.socket.getsockname()[:2]
        _log.info("%s listens at %s:%d; %d wait in the spool", self.ae_title, host, port, len(self.spool))
        return host, port

    def stop(self) -> None:
        """Take no more; associations that are open are aborted, and what was answered with success stays."""
        if self._server is not None:
            self._server.shutdown()
            self._application.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        try:
            name = self.spool.accept(str(event.request.AffectedSOPInstanceUID), event.encoded_dataset())
        except SpoolFullError as error:
            _log.error("Refused an image: %s", error)
            return _OUT_OF_RESOURCES
        except Exception as error:  # its words may quote what was sent
            _log.error("Refused an image: got %s", type(error).__name__)
            return _PROCESSING_FAILURE
        _log.info("%s accepted; %d wait", name, len(self.spool))
        return _SUCCESS

    def _count(self, event: Any) -> None:
        """Abort an association whose message is too long; a message has no length that it could be judged by."""
        received = self._received.get(event.assoc, 0) + event.pdu.pdu_length
        self._received[event.assoc] = received
        if received > self.max_image_bytes + _MAX_PDU:
            _log.error("Aborted an association: an image must have at most %d bytes", self.max_image_bytes)
            event.assoc.abort()

    def _forget(self, event: Any) -> None:
        self._received.pop(event.assoc, None)


def _rejected(event: Any) -> None:
    _log.warning("Rejected an association: its calling or called AE title is not allowed, or there are too many")


def _bound_pdus(event: Any) -> None:
    """Let a peer not announce a data unit of gigabytes, which pynetdicom would read into memory."""
    socket = event.assoc.dul.socket
    receive = socket.recv

    def bounded(count: int) -> Any:
        if count > _MAX_ANY_PDU:
            raise OSError("too long")
        return receive(count)

    socket.recv = bounded
