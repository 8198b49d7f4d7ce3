# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from monai_gu2net.connections import (
    DicomWebServer,
    NoAnswerError,
    RefusedError,
    RemoteInstance,
    UnreachableError,
    answer_instances,
    read_secret,
    spool_name,
)
from monai_gu2net.dicom import Limits
from monai_gu2net.dicom.derived_uid import derived_uid


class Archive(ThreadingHTTPServer):
    """Just enough of a DICOMweb server: its instances by UID, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.instances: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.authorizations: list[str | None] = []
        self.statuses: list[int] = []  # of its first responses, instead of what was asked for
        self.page = 2
        self.failure: int | None = None  # of storing
        self.body: Callable[[bytes], bytes] = lambda content: content
        self.content_type = 'multipart/related; type="application/dicom"; boundary="BOUND"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/dicom-web"

    def add(self, path: Path) -> Dataset:
        dataset = pydicom.dcmread(path)
        self.instances[dataset.SOPInstanceUID] = path.read_bytes()
        return dataset


class _Handler(BaseHTTPRequestHandler):
    server: Archive

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def respond(self, status: int, body: bytes = b"", kind: str = "application/dicom+json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refused(self) -> bool:
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.authorizations.append(self.headers.get("Authorization"))
        if self.server.statuses:
            self.respond(self.server.statuses.pop(0), b"Plant^Name", "text/plain")
            return True
        return False

    def do_GET(self) -> None:
        if self.refused():
            return
        address = urlsplit(self.path)
        parts = address.path.strip("/").split("/")
        if len(parts) == 7:
            content = self.server.instances.get(parts[6])
            if content is None:
                return self.respond(404)
            part = b"--BOUND\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--BOUND--"
            return self.respond(200, self.server.body(part), self.server.content_type)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        found = []
        for content in self.server.instances.values():
            dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
            wanted = {key: value for key, value in query.items() if key not in ("limit", "offset", "includefield")}
            if "studies" in parts:
                wanted["StudyInstanceUID"] = parts[parts.index("studies") + 1]
            if all(str(dataset.get(key)) == value for key, value in wanted.items()):
                keys = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientName", "BodyPartExamined")
                shown = Dataset()
                for key in keys:
                    if key in dataset:
                        shown[key] = dataset[key]
                found.append(shown.to_json_dict())
        start = int(query.get("offset", 0))
        return self.respond(200, json.dumps(found[start : start + self.server.page]).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return
        boundary = self.headers["Content-Type"].split("boundary=")[1].strip('"').encode()
        response = Dataset()
        for part in body.split(b"--" + boundary)[1:-1]:
            content = part.partition(b"\r\n\r\n")[2][:-2]
            dataset = pydicom.dcmread(io.BytesIO(content))
            if self.server.failure is None:
                self.server.instances[dataset.SOPInstanceUID] = content
            else:
                item = Dataset()
                item.FailureReason = self.server.failure
                response.FailedSOPSequence = [item]
        self.respond(200, json.dumps(response.to_json_dict()).encode())


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    thread = threading.Thread(target=archive.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield archive
    archive.shutdown()
    archive.server_close()
    thread.join()


@pytest.fixture
def make(make_dicom: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Writes an image; a number gives it a name and UIDs."""
    return lambda number, **tags: make_dicom(
        tmp_path / f"{number}.dcm", np.arange(12, dtype=np.uint16).reshape(3, 4), **tags
    )


@pytest.fixture
def server(archive: Archive) -> DicomWebServer:
    return DicomWebServer(archive.url, attempts=1)


def remote(dataset: Dataset) -> RemoteInstance:
    return RemoteInstance(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)


class TestFind:
    def test_pages_are_put_together_and_both_modalities(self, archive, server, make) -> None:
        images = [archive.add(make(number, Modality="DX" if number == 4 else "CR")) for number in range(6)]
        archive.add(make("ct", Modality="CT"))
        found = server.find()
        assert {each.sop_uid for each in found} == {image.SOPInstanceUID for image in images}
        assert len(found) == 6
        assert {each.body_part for each in found} == {"HAND"}

    def test_study_and_filters_narrow_it(self, archive, server, make) -> None:
        images = [archive.add(make(n, BodyPartExamined=part)) for n, part in enumerate(["HAND", "SKULL"])]
        skulls = server.find(filters={"BodyPartExamined": "SKULL"})
        assert [each.sop_uid for each in skulls] == [images[1].SOPInstanceUID]
        study = server.find(study_uid=images[0].StudyInstanceUID)
        assert [each.sop_uid for each in study] == [images[0].SOPInstanceUID]

    def test_a_server_that_knows_no_offset_is_not_asked_for_ever(self, archive, server, make) -> None:
        archive.add(make(1))
        server._client.search_for_instances = lambda **options: [
            {"0020000D": {"Value": ["1"]}, "0020000E": {"Value": ["2"]}, "00080018": {"Value": ["3"]}}
        ]
        assert server.find(filters={"Modality": "CR"}) == [RemoteInstance("1", "2", "3")]

    def test_what_has_no_uids_is_left_out(self, server) -> None:
        server._client.search_for_instances = lambda offset=0, **options: (
            [] if offset else [{"00080018": {"Value": ["../../x"]}}, {"00080018": {}}, {}]
        )
        assert server.find() == []

    def test_a_keyword_that_is_none_is_an_error(self, server) -> None:
        with pytest.raises(ValueError, match="must be a keyword of DICOM or a tag of 8 digits; got 'BodyPart'"):
            server.find(filters={"BodyPart": "HAND"})

    def test_a_reply_that_is_no_dicom_json_is_refused_without_its_words(self, archive, server) -> None:
        archive.statuses = [200]
        with pytest.raises(RefusedError, match="must search as DICOM says; reading its response ended in") as caught:
            server.find()
        assert "Plant" not in str(caught.value)
        assert caught.value.__suppress_context__


class TestRetrieve:
    def test_the_file_is_the_servers(self, archive, server, make, tmp_path: Path) -> None:
        path = make(1)
        server.retrieve(remote(archive.add(path)), tmp_path / "got.dcm")
        assert (tmp_path / "got.dcm").read_bytes() == path.read_bytes()

    def test_a_file_that_looks_like_a_boundary_inside_is_whole(self, archive, server, make, tmp_path: Path) -> None:
        path = make(1, ImageComments=b"\r\n--BOUND--\r\n\r\n")
        server.retrieve(remote(archive.add(path)), tmp_path / "got.dcm")
        assert (tmp_path / "got.dcm").read_bytes() == path.read_bytes()

    def test_a_body_that_is_no_multipart_is_the_file(self, archive, server, make, tmp_path: Path) -> None:
        path = make(1)
        image = archive.add(path)
        archive.content_type = "application/dicom"
        archive.body = lambda part: path.read_bytes()
        server.retrieve(remote(image), tmp_path / "got.dcm")
        assert (tmp_path / "got.dcm").read_bytes() == path.read_bytes()

    def test_too_much_is_refused(self, archive, server, make, tmp_path: Path) -> None:
        image = archive.add(make(1))
        archive.body = lambda part: part + bytes(100_000)
        with pytest.raises(RefusedError, match="at most 5000 bytes; the DICOMweb server sends more"):
            server.retrieve(remote(image), tmp_path / "got.dcm", max_bytes=5000)

    @pytest.mark.parametrize("body", [b"", b"--BOUND", b"x" * 20_000, b"--BOUND\r\n\r\nand no end"])
    def test_a_broken_body_is_refused(self, archive, server, make, tmp_path: Path, body: bytes) -> None:
        image = archive.add(make(1))
        archive.body = lambda part: body
        with pytest.raises(RefusedError, match="must retrieve as DICOM says; reading its response ended in ValueError"):
            server.retrieve(remote(image), tmp_path / "got.dcm")

    def test_what_is_not_there_is_refused(self, server, tmp_path: Path) -> None:
        with pytest.raises(RefusedError, match="must retrieve; it replied 404"):
            server.retrieve(RemoteInstance("1", "2", "3"), tmp_path / "got.dcm")


class TestStore:
    def test_what_is_stored_is_there(self, archive, server, make) -> None:
        path = make(1)
        image = pydicom.dcmread(path)
        assert not server.has(image.StudyInstanceUID, image.SOPInstanceUID)
        server.store([path])
        assert server.has(image.StudyInstanceUID, image.SOPInstanceUID)
        assert pydicom.dcmread(io.BytesIO(archive.instances[image.SOPInstanceUID])) == image

    def test_a_failure_in_the_reply_is_refused(self, archive, server, make) -> None:
        archive.failure = 0xA900
        with pytest.raises(RefusedError, match="must store the answers; it gave 0xA900"):
            server.store([make(1)])


class TestCredentials:
    def test_a_token_is_asked_for_at_each_request_and_not_replaced_by_netrc(
        self, archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        tokens = iter(["one", "two"])
        DicomWebServer(archive.url, token=lambda: next(tokens), attempts=1).find()
        assert archive.authorizations == ["Bearer one", "Bearer two"]

    def test_a_password_is_basic_authentication(self, archive) -> None:
        DicomWebServer(archive.url, password="anna:se:cret", attempts=1).has("1", "2")
        assert archive.authorizations == ["Basic " + base64.b64encode(b"anna:se:cret").decode()]

    def test_they_do_not_travel_in_the_clear(self) -> None:
        with pytest.raises(ValueError, match="Credentials must travel over https"):
            DicomWebServer("http://pacs.example.org/dicom-web", password="a:b")
        DicomWebServer("http://pacs.example.org/dicom-web", password="a:b", allow_http=True)
        DicomWebServer("http://pacs.example.org/dicom-web")

    @pytest.mark.parametrize("url", ["ftp://a/b", "pacs", "https://", "https://anna:secret@pacs/dicom-web"])
    def test_a_url_that_is_none_is_refused_and_not_repeated(self, url: str) -> None:
        with pytest.raises(ValueError, match="The URL must be http or https") as caught:
            DicomWebServer(url)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xff"])
    def test_a_file_without_a_secret_is_an_error(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "secret").write_bytes(content)
        with pytest.raises(ValueError, match="secret must hold a secret in its first line"):
            read_secret(tmp_path / "secret")

    def test_the_first_line_is_the_secret(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("  a:b \nmore\n")
        assert read_secret(tmp_path / "secret") == "a:b"


class TestTrouble:
    def test_a_server_that_is_away_for_a_moment_is_asked_again(self, archive, monkeypatch) -> None:
        monkeypatch.setattr("urllib3.util.Retry.sleep", lambda self, response=None: None)
        archive.statuses = [503, 502]
        assert DicomWebServer(archive.url, attempts=3).find() == []
        assert len(archive.asked) == 4

    def test_a_server_that_stays_away_is_unreachable(self, archive) -> None:
        archive.statuses = [503]
        with pytest.raises(UnreachableError, match="must search; it replied 503"):
            DicomWebServer(archive.url, attempts=1).find()

    def test_no_server_is_unreachable_and_the_address_is_not_repeated(self) -> None:
        with pytest.raises(UnreachableError, match="must be there to search; got ConnectionError") as caught:
            DicomWebServer("http://127.0.0.1:9", attempts=1).find(filters={"PatientID": "PLANT"})
        assert "PLANT" not in str(caught.value)


class Answers:
    """In the place of a model: an answer is a copy of the image with the answer's UID."""

    def __init__(self, by_body_part: dict[str, str] | None = None) -> None:
        self.by_body_part = by_body_part or {}
        self.limits = Limits()
        self.asked: list[str] = []

    def checked_domain(self, body_part: str) -> str:
        if self.by_body_part and body_part not in self.by_body_part:
            raise NoAnswerError("it has no domain")
        return self.by_body_part.get(body_part, "hand")

    def domain_in(self, image: Path) -> str:
        return self.checked_domain(pydicom.dcmread(image).get("BodyPartExamined", ""))

    def uids(self, sop_instance_uid: str, domain: str) -> dict[str, str]:
        return {kind: derived_uid(sop_instance_uid, domain, kind) for kind in ("sr", "gsps")}

    def __call__(self, image: Path, folder: Path) -> list[dict[str, object]]:
        dataset = pydicom.dcmread(image)
        uid = dataset.SOPInstanceUID
        self.asked.append(uid)
        if dataset.get("ImageComments") == "bad":
            raise NoAnswerError("it is bad")
        dataset.Modality = "SR"
        for kind, new in self.uids(uid, self.domain_in(image)).items():
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = new
            dataset.save_as(folder / f"{image.stem}.{kind}.dcm")
        row = {"landmark": "tip", "error": None, "unit": "px", "predicted_x": 1.0, "predicted_y": 2.0}
        return [{"case": image.stem, "domain": "hand", **row}]


class TestPass:
    def test_each_image_is_answered_and_a_second_pass_does_nothing(self, archive, server, make) -> None:
        images = [archive.add(make(number)) for number in range(3)]
        answers = Answers()
        outcomes = answer_instances(server, answers, server.find(), store=True)
        assert [each["outcome"] for each in outcomes] == ["answered"] * 3
        stored = {uid for image in images for uid in answers.uids(image.SOPInstanceUID, "hand").values()}
        assert set(archive.instances) == stored | {image.SOPInstanceUID for image in images}
        before, archive.asked = dict(archive.instances), []
        outcomes = answer_instances(server, answers, server.find(), store=True)
        assert [each["outcome"] for each in outcomes] == ["there already"] * 3
        assert len(answers.asked) == 3
        assert archive.instances == before
        assert not any("POST" in asked or "/series/" in asked for asked in archive.asked)

    def test_an_image_of_which_half_an_answer_is_there_is_answered_again(self, archive, server, make) -> None:
        uid = archive.add(make(1)).SOPInstanceUID
        answers = Answers()
        answer_instances(server, answers, server.find(), store=True)
        del archive.instances[answers.uids(uid, "hand")["gsps"]]
        outcomes = answer_instances(server, answers, server.find(), store=True)
        assert [each["outcome"] for each in outcomes] == ["answered"]
        assert len(archive.instances) == 3

    def test_a_bad_image_and_one_without_a_domain_are_failures_and_the_others_go_on(
        self, archive, server, make, tmp_path: Path
    ) -> None:
        good, bad, foot = (
            archive.add(make(number, **tags)).SOPInstanceUID
            for number, tags in enumerate([{}, {"ImageComments": "bad"}, {"BodyPartExamined": "FOOT"}])
        )
        seen: list[int] = []
        outcomes = answer_instances(
            server, Answers({"HAND": "hand"}), server.find(), output_dir=tmp_path / "out", on_case=seen.append
        )
        expected = {good: ("answered", ""), bad: ("failed", "it is bad"), foot: ("failed", "it has no domain")}
        assert {each["sop_instance_uid"]: (each["outcome"], each["reason"]) for each in outcomes} == expected
        assert seen == [1, 2, 3]
        assert {uid.SOPInstanceUID for uid in map(pydicom.dcmread, (tmp_path / "out").glob("*.dcm"))} == set(
            Answers().uids(good, "hand").values()
        )
        assert {path.name for path in (tmp_path / "out").iterdir()} == {
            f"{spool_name(good)}.sr.dcm",
            f"{spool_name(good)}.gsps.dcm",
            "landmarks.csv",
            "instances.csv",
        }
        assert (tmp_path / "out" / "instances.csv").read_text().count("\n") == 4
        assert f"{spool_name(good)},hand,tip" in (tmp_path / "out" / "landmarks.csv").read_text()
        assert len(archive.instances) == 3

    def test_where_the_server_tells_no_body_part_the_file_does(self, archive, server, make, monkeypatch) -> None:
        archive.add(make(1))
        instances = [RemoteInstance(each.study_uid, each.series_uid, each.sop_uid) for each in server.find()]
        answers = Answers({"HAND": "hand"})
        for outcome in ("answered", "there already"):
            outcomes = answer_instances(server, answers, instances, store=True)
            assert [(each["outcome"], each["domain"]) for each in outcomes] == [(outcome, "hand")]

    def test_a_server_that_goes_away_ends_the_pass_and_what_was_done_is_written(
        self, archive, server, make, tmp_path: Path
    ) -> None:
        for number in range(2):
            archive.add(make(number))
        instances = server.find()

        def away(count: int) -> None:
            archive.statuses = [503]

        with pytest.raises(UnreachableError, match="replied 503"):
            answer_instances(server, Answers(), instances, output_dir=tmp_path / "out", on_case=away)
        assert len(list((tmp_path / "out").glob("*.dcm"))) == 2
        assert "answered" in (tmp_path / "out" / "instances.csv").read_text()

    def test_answers_must_go_somewhere(self, server) -> None:
        with pytest.raises(ValueError, match="The answers must go somewhere"):
            answer_instances(server, Answers(), [])


def test_a_server_that_does_not_answer_is_given_up_after_the_time_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = DicomWebServer(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2, attempts=1)
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="must be there to search"):
            server.find(filters={"Modality": "CR"})
        assert time.monotonic() - began < 5
