# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import socket
import socketserver
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, Association, evt

from monai_gu2net.connections import (
    ApplicationDestination,
    DeferredError,
    Listener,
    RefusedError,
    Spool,
    UnreachableError,
    spool_name,
)

VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture(autouse=True)
def _servers_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a server looks twice a second whether it is to end."""
    monkeypatch.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.01,))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool", max_files=3)
    yield spool
    spool.close()


@contextmanager
def listening(spool: Spool, **options: Any) -> Iterator[int]:
    listener = Listener(spool, allowed=["MODALITY"], port=0, **options)
    host, port = listener.start()
    assert host == "127.0.0.1"
    try:
        yield port
    finally:
        listener.stop()


@contextmanager
def associated(
    port: int,
    *,
    calling: str = "MODALITY",
    called: str = "GU2NET",
    contexts: dict[str, str] | None = None,
) -> Iterator[Association]:
    application = AE(ae_title=calling)
    application.acse_timeout = application.dimse_timeout = application.network_timeout = 10
    for sop_class, syntax in (contexts or {ComputedRadiographyImageStorage: ExplicitVRLittleEndian}).items():
        application.add_requested_context(sop_class, syntax)
    association = application.associate("127.0.0.1", port, ae_title=called)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


@pytest.fixture
def image(make_dicom: Callable[..., Path], tmp_path: Path) -> Dataset:
    return pydicom.dcmread(make_dicom(tmp_path / "image.dcm", np.arange(12, dtype=np.uint16).reshape(3, 4)))


def test_success_means_the_image_is_in_the_spool_as_it_was_sent(spool: Spool, image: Dataset) -> None:
    with listening(spool) as port, associated(port) as association:
        assert association.send_c_store(image).Status == 0x0000
        stored = spool.incoming / f"{spool_name(image.SOPInstanceUID)}.dcm"
        assert pydicom.dcmread(stored) == image
        assert pydicom.dcmread(stored).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless], ids=lambda uid: uid.name
)
def test_transfer_syntaxes_of_the_reader_are_kept(
    spool: Spool, make_dicom: Callable[..., Path], tmp_path: Path, syntax: str
) -> None:
    path = make_dicom(tmp_path / "image.dcm", np.full((32, 32), 7, np.uint16), transfer_syntax=syntax)
    sent = pydicom.dcmread(path)
    with listening(spool) as port, associated(port, contexts={ComputedRadiographyImageStorage: syntax}) as association:
        assert association.send_c_store(sent).Status == 0x0000
    stored = pydicom.dcmread(spool.claim())
    assert stored.file_meta.TransferSyntaxUID == syntax
    assert stored.PixelData == sent.PixelData


def test_a_c_echo_is_answered(spool: Spool) -> None:
    with (
        listening(spool) as port,
        associated(port, contexts={VERIFICATION: ImplicitVRLittleEndian}) as association,
    ):
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.parametrize(("calling", "called"), [("STRANGER", "GU2NET"), ("MODALITY", "OTHER"), ("modality", "GU2NET")])
def test_who_is_not_on_the_list_or_calls_another_is_rejected(
    spool: Spool, calling: str, called: str, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(spool) as port, associated(port, calling=calling, called=called) as association:
        assert association.is_rejected
    assert "Rejected an association" in caplog.text
    assert "STRANGER" not in caplog.text


@pytest.mark.parametrize("of_slices", [CTImageStorage, MRImageStorage], ids=lambda uid: uid.name)
def test_the_slices_of_a_series_are_not_accepted(spool: Spool, of_slices: str) -> None:
    asked = dict.fromkeys((ComputedRadiographyImageStorage, of_slices), str(ExplicitVRLittleEndian))
    with listening(spool) as port, associated(port, contexts=asked) as association:
        assert [context.abstract_syntax for context in association.accepted_contexts] == [
            ComputedRadiographyImageStorage
        ]
        assert [context.abstract_syntax for context in association.rejected_contexts] == [of_slices]


def test_other_kinds_of_image_are_accepted_where_asked_for_only(spool: Spool) -> None:
    asked = {
        ComputedRadiographyImageStorage: ExplicitVRLittleEndian,
        DigitalXRayImageStorageForPresentation: ExplicitVRLittleEndian,
        SecondaryCaptureImageStorage: ExplicitVRLittleEndian,
        CTImageStorage: ExplicitVRLittleEndian,
    }
    accepted = []
    for options in ({}, {"also": ["SC"]}):
        with listening(spool, **options) as port, associated(port, contexts=asked) as association:
            accepted.append([context.abstract_syntax for context in association.accepted_contexts])
    assert accepted == [list(asked)[:2], list(asked)[:3]]


def test_a_full_spool_is_told_to_the_sender_and_empties(spool: Spool, image: Dataset) -> None:
    with listening(spool) as port, associated(port) as association:
        statuses = []
        for number in range(5):
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}"
            statuses.append(association.send_c_store(image).Status)
        assert statuses == [0x0000] * 3 + [0xA700] * 2
        name = spool.claim().stem
        spool.fail(name, "to make room")
        assert association.send_c_store(image).Status == 0x0000
    kept = {path.stem for path in spool.incoming.iterdir()} | {name}
    assert kept == {spool_name(f"1.2.{number}") for number in (0, 1, 2, 4)}


def test_what_the_disk_does_not_take_is_refused(
    spool: Spool, image: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Spool, uid: str, content: bytes) -> str:
        raise RuntimeError("Miller^Anna")

    monkeypatch.setattr(Spool, "accept", broken)
    with listening(spool) as port, associated(port) as association:
        assert association.send_c_store(image).Status == 0x0110
    assert "Refused an image: got RuntimeError" in caplog.text
    assert "Miller" not in caplog.text


def test_an_image_that_is_too_large_ends_its_association_and_no_other(
    spool: Spool, image: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    small = Dataset()
    small.update(image)
    small.file_meta = image.file_meta
    image.PixelData = bytes(2**20)
    with listening(spool, max_image_bytes=100_000) as port:
        with associated(port) as association:
            assert not association.send_c_store(image)
            association.join(5)
            assert association.is_aborted
        with associated(port) as association:
            small.PixelData = bytes(24)
            for number in range(20):  # together they are larger than one may be
                small.PixelData = bytes(90_000)
                small.SOPInstanceUID = small.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
                assert association.send_c_store(small).Status == 0x0000, number
    assert len(spool) == 1
    assert "an image must have at most 100000 bytes" in caplog.text


@pytest.mark.parametrize("kind", [0x01, 0x04])
def test_a_peer_that_announces_gigabytes_is_cut_off(spool: Spool, kind: int) -> None:
    with listening(spool) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(struct.pack(">BBL", kind, 0, 2**31) + bytes(2000))
            connection.settimeout(5)
            received = b"x"
            try:
                while received:
                    received = connection.recv(4096)
            except ConnectionResetError:
                pass
        with associated(port) as association:
            assert association.is_established


def test_nonsense_does_not_end_the_listener(spool: Spool, rng: np.random.Generator) -> None:
    with listening(spool, timeout_s=0.2) as port:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(rng.bytes(200))
        for _ in range(50):  # each keeps its place until the time is up
            with associated(port) as association:
                if association.is_established:
                    return
            time.sleep(0.05)
        pytest.fail("it takes no association any more")


def test_no_value_of_the_image_is_logged(spool: Spool, image: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    image.PatientName, image.PatientID, image.StudyDate = "Plant^Name", "PLANT-ID", "19011213"
    with caplog.at_level(logging.DEBUG), listening(spool) as port, associated(port) as association:
        association.send_c_store(image)
    assert f"{spool_name(image.SOPInstanceUID)} accepted; 1 wait" in caplog.text
    assert not any(text in caplog.text for text in ("Plant", "PLANT", "19011213", str(image.SOPInstanceUID)))


@pytest.mark.parametrize("title", ["", " ", "x" * 17, "A\\B", "Ü"])
def test_an_ae_title_that_is_none_is_refused(spool: Spool, title: str) -> None:
    with pytest.raises(ValueError, match="An AE title must be 1 to 16 printable characters"):
        Listener(spool, allowed=[title])


def test_somebody_must_be_allowed(spool: Spool) -> None:
    with pytest.raises(ValueError, match="must name the applications that may send; got none"):
        Listener(spool, allowed=[])


def test_a_kind_of_image_that_is_not_known_is_refused(spool: Spool) -> None:
    with pytest.raises(ValueError, match=r"also must be among \['XA', 'SC'\]; got \['CT'\]"):
        Listener(spool, allowed=["A"], also=["CT"])


def test_without_pynetdicom_the_error_says_what_to_install(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynetdicom", None)
    with pytest.raises(ImportError, match=r'have the package .pynetdicom.*pip install "monai_gu2net\[dicom\]"'):
        Listener(spool, allowed=["A"])


def test_a_port_that_is_taken_is_an_error(spool: Spool) -> None:
    with listening(spool) as port, pytest.raises(OSError, match=f"must have 127.0.0.1:{port}; got: Address already in"):
        Listener(spool, allowed=["A"], port=port).start()


@contextmanager
def receiver(status: int, syntax: str = ExplicitVRLittleEndian) -> Iterator[tuple[int, list[Dataset]]]:
    """An application that replies to each C-STORE with a status, and what it got."""
    got: list[Dataset] = []

    def store(event: Any) -> int:
        got.append(event.dataset)
        return status

    application = AE(ae_title="PACS")
    application.require_called_aet = True
    application.add_supported_context(ComputedRadiographyImageStorage, syntax)
    server = application.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield server.socket.getsockname()[1], got
    finally:
        server.shutdown()


class TestApplicationDestination:
    @pytest.mark.parametrize("status", [0x0000, 0xB000, 0x0111], ids=hex)
    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=lambda uid: uid.name)
    def test_it_takes_an_answer(self, image: Dataset, status: int, syntax: str) -> None:
        with receiver(status, syntax) as (port, got):
            ApplicationDestination("PACS", "127.0.0.1", port).deliver([Path(str(image.filename))])
        assert got == [image]

    @pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0106, 0x0122, 0x0124], ids=hex)
    def test_it_refuses_an_answer_for_good(self, image: Dataset, status: int) -> None:
        refused = pytest.raises(RefusedError, match=f"must store a Computed .*; it replied 0x{status:04X}")
        with receiver(status) as (port, _), refused:
            ApplicationDestination("PACS", "127.0.0.1", port).deliver([Path(str(image.filename))])

    @pytest.mark.parametrize("status", [0xA700, 0x0110], ids=hex)
    def test_it_refuses_an_answer_for_now(self, image: Dataset, status: int) -> None:
        refused = pytest.raises(DeferredError, match=f"it replied 0x{status:04X}")
        with receiver(status) as (port, _), refused:
            ApplicationDestination("PACS", "127.0.0.1", port).deliver([Path(str(image.filename))])

    def test_it_does_not_know_us(self, image: Dataset) -> None:
        with receiver(0) as (port, _), pytest.raises(UnreachableError, match="is away or refuses ours") as error:
            ApplicationDestination("OTHER", "127.0.0.1", port).deliver([Path(str(image.filename))])
        assert not isinstance(error.value, DeferredError)

    def test_it_is_away(self, image: Dataset) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        with pytest.raises(UnreachableError, match="must accept an association") as error:
            ApplicationDestination("PACS", "127.0.0.1", port).deliver([Path(str(image.filename))])
        assert not isinstance(error.value, DeferredError)

    def test_it_does_not_take_this_class(self, make_dicom: Callable[..., Path], tmp_path: Path) -> None:
        """Its answer may come once it is set up, so the images stay."""
        path = make_dicom(tmp_path / "ct.dcm", np.zeros((3, 4), np.uint16), SOPClassUID=CTImageStorage)
        with receiver(0) as (port, _), pytest.raises(UnreachableError, match=r"association|CT Image Storage"):
            ApplicationDestination("PACS", "127.0.0.1", port).deliver([path])
