# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The server answers its own page and programs, no page of another site, and no path outside the datastore."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.networks import GU2Net, ModelCard, save_model

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    # MONAI Label's client reads multipart replies with it, and leaves its connections to the garbage collector
    pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning"),
]

MODEL = "gu2net_head"
BOUNDARY = "----form"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(**fields: str | tuple[str, bytes]) -> bytes:
    """A multipart form, as a browser's; a file is (name, content)."""
    parts = b""
    for name, value in fields.items():
        file = f'; filename="{value[0]}"' if isinstance(value, tuple) else ""
        content = value[1] if isinstance(value, tuple) else value.encode()
        parts += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        parts += content + b"\r\n"
    return parts + f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture(scope="module")
def model(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = Datalist.load(tiny_phantom)
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({name: domain.resized((64, 64)) for name, domain in data.domains.items()}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture(scope="module")
def picture(tiny_phantom: Path) -> Path:
    return Path(Datalist.load(tiny_phantom).cases("all")[0]["image"])


@pytest.fixture(scope="module")
def studies(picture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    for name in ("a", "b"):
        shutil.copy(picture, folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def server(studies: Path, model: Path, start_server: Callable[..., Any]) -> Iterator[Any]:
    with start_server(["-m", "monai_gu2net", "label", "--studies", studies, "-m", model]) as running:
        yield running


def refused(server: Any, *request: Any, **options: Any) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.request(*request, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1.elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"/infer/{MODEL}?image=a&output=json", form(params='{"save_label": true}')),
        ("POST", f"/train/{MODEL}", b""),
        ("POST", "/batch/infer/gu2net_head", b""),
        ("POST", "/activelearning/first", b""),
        ("PUT", "/datastore/label?image=a&tag=final", form(params="{}", label=("a.mrk.json", b"{}"))),
        ("DELETE", "/datastore/image?id=a", None),
        ("GET", "/datastore/?output=all", None),
        ("GET", "/datastore/image?image=a", None),
        ("GET", "/gu2net/image/a.png", None),
        ("OPTIONS", f"/infer/{MODEL}", None),
    ],
)
def test_a_page_of_another_site_neither_changes_nor_reads_anything(
    server: Any, studies: Path, headers: dict[str, str], method: str, path: str, body: bytes | None
) -> None:
    said = refused(server, method, path, body=body, headers={**(FORM if body else {}), **headers})
    assert "403" in said
    assert "this server's own page" in said
    assert not list(studies.glob("labels/*/*"))
    assert (studies / "a.png").is_file()


@pytest.mark.parametrize("name", ["elsewhere.example", "127.0.0.1.nip.example", "localhost.elsewhere.example", ""])
@pytest.mark.parametrize("path", ["/info/", "/datastore/image?image=a", "/gu2net/"])
def test_a_name_that_was_made_to_point_here_does_not_reach_the_server(server: Any, name: str, path: str) -> None:
    port = server.url.rpartition(":")[2]
    origin = {"Origin": f"http://{name}:{port}"}
    assert "400" in refused(server, "GET", path, headers={"Host": f"{name}:{port}", **origin})


def test_what_is_read_as_json_must_say_that_it_is(server: Any) -> None:
    for path in (f"/train/{MODEL}", f"/batch/infer/{MODEL}", "/scoring/uncertainty", "/activelearning/first"):
        for kind in ("text/plain", "application/x-www-form-urlencoded", FORM["Content-Type"]):
            assert "415" in refused(server, "POST", path, body=b"{}", headers={"Content-Type": kind})


def test_the_own_page_and_programs_are_answered(server: Any, tmp_path: Path) -> None:
    from monailabel.client import MONAILabelClient

    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    body = form(params='{"client_id": "page"}')
    path = f"/infer/{MODEL}?image=a&output=json"
    from_page = json.loads(server.request("POST", path, body=body, headers={**FORM, **own}))
    assert json.loads(server.request("POST", path, body=body, headers=FORM))["landmarks"] == from_page["landmarks"]
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert b"<html" in server.request("GET", "/gu2net/", headers=link)
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="slicer")
    assert client.infer(MODEL, "a", {})[1]["landmarks"] == from_page["landmarks"]
    assert server.post_json("/activelearning/first", {})["id"] == "a"


def test_a_path_outside_the_datastore_is_no_image(server: Any, studies: Path, picture: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(picture)
    outside = [str(picture), os.path.relpath(picture, studies), f"../{picture.name}", f"file://{picture}", str(link)]
    outside += [str(studies / "a.png"), "", ".", "a\0b", "x" * 5000, "gu2net_app/model/model.pt"]
    for image in outside:
        body = form(params=json.dumps({"image": image}))
        said = refused(server, "POST", f"/infer/{MODEL}?image=a&output=json", body=body, headers=FORM)
        assert "must be an id of the datastore" in said
        wanted = {"images": [image], "max_workers": 1}
        answer = server.post_json(f"/batch/infer/{MODEL}?run_sync=true", wanted)
        assert "must be an id of the datastore" in answer[image]["error"]
    query = f"/infer/{MODEL}?output=json&image={picture}"
    assert "must be an id" in refused(server, "POST", query, body=form(params="{}"), headers=FORM)
    slide = f"/infer/wsi_v2/{MODEL}?output=json&image={picture}"
    assert "for slides" in refused(server, "POST", slide, body=form(wsi="{}"), headers=FORM)


@pytest.mark.parametrize("params", ["[]", "5", "null", '"x"', "{", '{"min_confidence": }'])
def test_options_that_are_no_object_are_told(server: Any, params: str) -> None:
    said = refused(server, "POST", f"/infer/{MODEL}?image=a&output=json", body=form(params=params), headers=FORM)
    assert "422" in said
    assert "must" in said


def test_weights_that_are_sent_do_not_replace_those_of_the_app(server: Any, studies: Path) -> None:
    weights = studies / "gu2net_app" / "model" / "model.pt"
    before = weights.read_bytes()
    body = form(file=("m.pt", b"junk"))
    assert "Weights change by training alone" in refused(server, "PUT", f"/model/{MODEL}", body=body, headers=FORM)
    assert "Weights change by training alone" in refused(server, "DELETE", f"/model/{MODEL}")
    assert weights.read_bytes() == before


def test_an_image_that_is_sent_is_predicted_and_gone_afterwards(server: Any, picture: Path) -> None:
    at_home = json.loads(
        server.request("POST", f"/infer/{MODEL}?image=a&output=json", body=form(params="{}"), headers=FORM)
    )
    body = form(params='{"save_label": true}', file=("../../sent.png", picture.read_bytes()))
    sent = json.loads(server.request("POST", f"/infer/{MODEL}?output=json", body=body, headers=FORM))
    assert sent["landmarks"] == at_home["landmarks"]
    assert "sent" not in server.request("GET", "/datastore/?output=all").decode()


def test_a_session_is_of_its_own_image_and_leads_nowhere_else(server: Any, picture: Path, tmp_path: Path) -> None:
    from monailabel.client import MONAILabelClient

    client = MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="slicer")
    session = client.create_session(str(picture))["session_id"]
    assert client.infer(MODEL, "", {}, session_id=session)[1]["landmarks"]

    planted = tmp_path / "meta.info"  # what MONAI Label notes a session's image in
    planted.write_text(json.dumps({"image": str(picture), "path": str(tmp_path), "expiry": 9}) + "\n")
    files = form(files=("meta.info", planted.read_bytes()))
    made = json.loads(server.request("PUT", "/session/", body=files, headers=FORM))["session_id"]
    for identifier in (f"{made}/x", f"../{tmp_path.name}", os.path.relpath(tmp_path, "/tmp"), str(tmp_path)):
        query = f"/infer/{MODEL}?output=json&session_id={identifier}"
        assert "must be an id" in refused(server, "POST", query, body=form(params="{}"), headers=FORM)
        request = ("DELETE", f"/session/{identifier.replace('/', '%2F')}")
        assert "404" in refused(server, *request)
    assert planted.is_file()
    archive = form(files=("a.zip", b"PK"))
    assert "not unpacked" in refused(server, "PUT", "/session/?uncompress=true", body=archive, headers=FORM)


@pytest.mark.parametrize(
    ("image", "file"),
    [
        ("../up", "up.png"),
        ("/tmp/up", "up.png"),
        (".up", "up.png"),
        ("datastore_v2.json", "up.bin"),
        ("up", "up.mrk.json"),
        ("up", "up.py"),
    ],
)
def test_an_upload_cannot_be_put_elsewhere_or_over_the_servers_own_files(
    server: Any, studies: Path, image: str, file: str
) -> None:
    before = sorted(studies.rglob("*"))
    body = form(params="{}", file=(file, b"anything"))
    said = refused(server, "PUT", f"/datastore/image?image={image}", body=body, headers=FORM)
    assert "422" in said
    assert sorted(studies.rglob("*")) == before


def test_removing_a_linked_image_removes_the_link(tiny_phantom: Path, picture: Path, tmp_path: Path) -> None:
    from monai_gu2net.label_app.datastore import LandmarkDatastore

    kept = tmp_path / "elsewhere" / "kept.png"
    kept.parent.mkdir()
    shutil.copy(picture, kept)
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "link.png").symlink_to(kept)
    store = LandmarkDatastore(folder, domains=Datalist.load(tiny_phantom).domains, extensions=["*.png"])
    assert store.list_images() == ["link"]
    store.remove_image("link")
    assert store.list_images() == []
    assert [path.name for path in folder.glob("*.png")] == []
    assert kept.is_file()


def test_listening_to_the_network_is_warned_of_and_takes_addresses_and_given_names_alone(
    studies: Path, model: Path, start_server: Callable[..., Any]
) -> None:
    arguments = ["-m", "monai_gu2net", "label", "--studies", studies, "--allow-host", "label.example"]
    with start_server([*arguments, "--app-dir", studies / "gu2net_app"], host="0.0.0.0") as other:
        assert "no password and no TLS: everybody who reaches 0.0.0.0" in other.tail()
        for name in ("10.1.2.3:8000", "label.example", "[::1]:8000"):
            assert other.request("GET", "/info/", headers={"Host": name})
        assert "400" in refused(other, "GET", "/info/", headers={"Host": "elsewhere.example:8000"})
        proxied = {"Host": "label.example", "Origin": "https://label.example"}
        assert other.request("GET", "/info/", headers=proxied)
