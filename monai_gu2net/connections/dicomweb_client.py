# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Finding, fetching and storing DICOM objects at a DICOMweb server."""

from __future__ import annotations

import email.message
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from monai_gu2net.connections.destination import RefusedError, UnreachableError
from monai_gu2net.connections.extra import dicom_extra
from monai_gu2net.connections.loopback import is_loopback
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.files import read_text

__all__ = ["DicomWebServer", "RemoteInstance", "read_secret"]

_UID = re.compile(r"[0-9.]{1,64}")
_PAGE = 500
_HEAD_BYTES = 8192  # of the part of a multipart body
_AGAIN = (429, 502, 503, 504)
_STUDY, _SERIES, _INSTANCE, _BODY_PART = "0020000D", "0020000E", "00080018", "00180015"


@dataclass(frozen=True)
class RemoteInstance:
    """An instance of a server, by its UIDs.

    Args:
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        sop_uid: SOP Instance UID.
        body_part: Body Part Examined, where the server gave it.
    """

    study_uid: str
    series_uid: str
    sop_uid: str
    body_part: str = ""


def read_secret(path: str | os.PathLike[str]) -> str:
    """The first line of a file that holds a token, or ``USER:PASSWORD``.

    Raises:
        ValueError: it is empty or not text.
        OSError: it cannot be read.
    """
    path = Path(path)
    try:
        secret = read_text(path).strip().partition("\n")[0].strip()
    except ValueError:  # no text
        secret = ""
    if not secret:
        raise ValueError(f"{path.name} must hold a secret in its first line; it does not. Write it there.")
    return secret


class DicomWebServer:
    """A DICOMweb server: QIDO-RS to search, WADO-RS to retrieve, STOW-RS to store.

    The server's certificate is verified. What cannot be reached, and responses that ask to come again, are tried again
    with growing pauses. Credentials are sent over https or to this machine only, unless plain http is allowed.

    Args:
        url: of its DICOMweb root, such as ``https://pacs.example.org/dicom-web``.
        token: gives the bearer token; called for each request, so that a renewed one is used.
        password: ``USER:PASSWORD`` of basic authentication.
        ca_bundle: certificates to verify the server's with; by default the public ones.
        allow_http: send credentials over plain http, too.
        timeout_s: to connect, and between two pieces of a response.
        attempts: of each request.

    Raises:
        ImportError: dicomweb-client is absent.
        ValueError: the URL is none, credentials would travel in the clear, or both kinds are given.

    Source: DICOM PS3.18, 10.4 (retrieve), 10.5 (store), 10.6 (search).
    """

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], str] | None = None,
        password: str | None = None,
        ca_bundle: str | os.PathLike[str] | None = None,
        allow_http: bool = False,
        timeout_s: float = 60.0,
        attempts: int = 4,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError(
                "The URL must be http or https, with a host and without user, password and query; it is not. "
                "Write it like https://pacs.example.org/dicom-web."
            )
        if token is not None and password is not None:
            raise ValueError("Either a token or a password must be given; got both. Leave one out.")
        clear = parts.scheme == "http" and not is_loopback(parts.hostname)
        if clear and not allow_http and (token is not None or password is not None):
            raise ValueError(
                "Credentials must travel over https; the URL says http, where others can read them. "
                "Use https, or allow http."
            )
        with dicom_extra("DICOMweb"):
            import requests
            from dicomweb_client import DICOMwebClient
            from requests.adapters import HTTPAdapter
            from urllib3.util import Retry
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        self._session = requests.Session()
        if ca_bundle is not None:
            self._session.verify = os.fspath(ca_bundle)
        if token is not None:
            self._session.auth = _bearer(token)
        elif password is not None:
            user, _, secret = password.partition(":")
            self._session.auth = (user, secret)
        again = Retry(
            total=attempts - 1,
            backoff_factor=1.0,
            status_forcelist=_AGAIN,
            allowed_methods=("GET", "POST"),  # storing twice is as good as once: the UIDs are the same
            raise_on_status=False,
            respect_retry_after_header=False,  # a server could have us wait for days
        )

        class TimedAdapter(HTTPAdapter):  # older releases of the client wait for ever, newer ones 20 s by default
            def send(self, *arguments: Any, **options: Any) -> Any:
                return super().send(*arguments, **{**options, "timeout": timeout_s})

        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TimedAdapter(max_retries=again))
        # objects go out in one piece, so that they can be sent again
        self._client = DICOMwebClient(self.url, session=self._session, chunk_size=2**26)
        self._client.set_http_retry_params(retry=False)

    def find(
        self,
        *,
        study_uid: str | None = None,
        filters: Mapping[str, str] | None = None,
    ) -> list[RemoteInstance]:
        """The instances that match.

        Args:
            study_uid: of this study only.
            filters: value by keyword or tag, such as ``{"BodyPartExamined": "SKULL"}``; all must match. ``Modality``
                may be several with commas; by default "CR,DX".

        Returns:
            Each instance once, in the server's order.

        Raises:
            UnreachableError: the server is away.
            RefusedError: the server does not do it, or what it says is not DICOM.
            ValueError: a filter's keyword is none of DICOM's, or the study UID is none.
        """
        from pydicom.datadict import tag_for_keyword

        if study_uid is not None and not _UID.fullmatch(study_uid):
            raise ValueError("study_uid must be a UID; it is not. Correct it.")
        for keyword in filters or {}:
            if tag_for_keyword(keyword) is None and not re.fullmatch("[0-9A-Fa-f]{8}", keyword):
                raise ValueError(
                    f"A filter must be a keyword of DICOM or a tag of 8 digits; got {keyword!r}. Correct it."
                )
        found: dict[str, RemoteInstance] = {}
        others = {"Modality": "CR,DX", **(filters or {})}
        for modality in others.pop("Modality").split(","):
            offset = 0
            while True:
                with _requests("search"):
                    page = self._client.search_for_instances(
                        study_instance_uid=study_uid,
                        search_filters={"Modality": modality, **others},
                        fields=["BodyPartExamined"],
                        limit=_PAGE,
                        offset=offset,
                    )
                    before = len(found)
                    for instance in _instances(page):
                        found.setdefault(instance.sop_uid, instance)
                offset += len(page)
                if not page or len(found) == before:  # the end, or a server that knows no offset
                    break
        return list(found.values())

    def has(self, study_uid: str, sop_uid: str) -> bool:
        """Whether an instance is there.

        Raises:
            UnreachableError, RefusedError: as :meth:`find`.
        """
        with _requests("search"):
            page = self._client.search_for_instances(
                study_instance_uid=study_uid, search_filters={"SOPInstanceUID": sop_uid}
            )
            return any(instance.sop_uid == sop_uid for instance in _instances(page))

    def retrieve(self, instance: RemoteInstance, path: Path, *, max_bytes: int = 256 * 2**20) -> None:
        """Fetch an instance in the transfer syntax that it is stored in. What is in it is not looked at.

        Args:
            instance: which.
            path: the file to write.
            max_bytes: of it.

        Raises:
            UnreachableError: the server is away.
            RefusedError: it does not give the instance, or gives more than that many bytes.
        """
        address = f"{self.url}/studies/{instance.study_uid}/series/{instance.series_uid}/instances/{instance.sop_uid}"
        headers = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        with (
            _requests("retrieve"),
            self._session.get(address, headers=headers, stream=True, timeout=self.timeout_s) as response,
        ):
            response.raise_for_status()
            with path.open("w+b") as file:
                _write_part(file, response.iter_content(2**16), response.headers.get("Content-Type", ""), max_bytes)

    def store(self, files: Iterable[Path]) -> None:
        """Store DICOM files.

        Raises:
            UnreachableError: the server is away.
            RefusedError: it did not store all of them.
        """
        import pydicom

        with _requests("store"), silent_pydicom(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the interpreter, of sockets that requests leaves open
            response = self._client.store_instances([pydicom.dcmread(path) for path in files])
            if response.get("FailedSOPSequence"):
                reasons = {f"0x{item.get('FailureReason') or 0:04X}" for item in response.FailedSOPSequence}
                raise RefusedError(f"The DICOMweb server must store the answers; it gave {', '.join(sorted(reasons))}.")


@contextmanager
def _requests(what: str) -> Iterator[None]:
    """Say what went wrong without the address, which holds what was asked for."""
    import requests

    try:
        yield
    except (UnreachableError, RefusedError):
        raise
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        kind = UnreachableError if code in _AGAIN else RefusedError
        raise kind(f"The DICOMweb server must {what}; it replied {code}. Check address and rights.") from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise UnreachableError(
            f"The DICOMweb server must be there to {what}; got {type(error).__name__}. Check address and certificate."
        ) from None
    except Exception as error:  # what it sent is no JSON, no DICOM JSON, no multipart body
        raise RefusedError(
            f"The DICOMweb server must {what} as DICOM says; reading its response ended in {type(error).__name__}."
        ) from None


def _bearer(token: Callable[[], str]) -> Any:
    """Authentication by a token; unlike a plain header it is not replaced by a .netrc file."""

    def authorize(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token()}"
        return request

    return authorize


def _instances(page: Sequence[Mapping[str, Any]]) -> Iterator[RemoteInstance]:
    """Those of a page of DICOM JSON whose UIDs are UIDs: they become part of an address."""
    for entry in page:
        study, series, instance, body_part = (
            str((entry.get(tag, {}).get("Value") or [""])[0]) for tag in (_STUDY, _SERIES, _INSTANCE, _BODY_PART)
        )
        if all(_UID.fullmatch(uid) for uid in (study, series, instance)):
            yield RemoteInstance(study, series, instance, body_part)


def _write_part(file: BinaryIO, chunks: Iterable[bytes], content_type: str, max_bytes: int) -> None:
    """Write the one part of a multipart body (RFC 2046, 5.1), or a body that is no multipart."""
    message = email.message.Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary() if message.get_content_maintype() == "multipart" else None
    head, written = None if boundary else b"", 0
    buffer = b""
    for chunk in chunks:
        if head is None:
            buffer += chunk
            head, found, chunk = buffer.partition(b"\r\n\r\n")
            if not found:
                head = None
                if len(buffer) > _HEAD_BYTES:
                    raise ValueError("no head")
                continue
        written += len(chunk)
        if written > max_bytes + _HEAD_BYTES:
            raise RefusedError(f"An instance must have at most {max_bytes} bytes; the DICOMweb server sends more.")
        file.write(chunk)
    if head is None:
        raise ValueError("no part")
    if boundary:
        tail = min(written, len(boundary) + _HEAD_BYTES)
        file.seek(written - tail)
        end = file.read().rfind(b"\r\n--" + boundary.encode())
        if end < 0:
            raise ValueError("no end")
        file.truncate(written - tail + end)
