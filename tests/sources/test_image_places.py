# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
import zipfile
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from monai_gu2net.files import left_out_lines
from monai_gu2net.sources import image_places


def blank(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)
    return path


def test_a_local_image_is_called_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = blank(tmp_path / "im" / "a b.png")
    monkeypatch.chdir(tmp_path)
    for place in ("im", "im/a b.png", path.as_uri(), path.parent.as_uri()):
        images, left_out = image_places([place])
        assert (images.to_pylist(), left_out) == ([str(path)], [])


def test_a_folder_of_an_object_store_gives_its_images_and_says_what_is_left_out() -> None:
    root = f"memory:///{uuid.uuid4().hex}"
    for name in ("b.png", "a.PNG", "v.nii.gz", "deep/x.dcm", "deep/y.png", "notes.txt", ".hidden.png", "DICOMDIR"):
        fsspec.filesystem("memory").pipe(f"{root.removeprefix('memory://')}/{name}", b"x")
    images, left_out = image_places([f"{root}/"])
    assert sorted(images.to_pylist()) == [f"{root}/{name}" for name in ("a.PNG", "b.png", "deep/x.dcm", "v.nii.gz")]
    assert sorted(left_out_lines(left_out)) == [
        "1 object(s) left out, its name does not end as an image's; a list can name it: notes.txt",
        "1 picture(s) left out, it lies in a folder within: deep/y.png",
    ]
    assert image_places([f"{root}/b.png"])[0].to_pylist() == [f"{root}/b.png"]
    volumes, left_out = image_places([f"{root}/"], dims=3)
    assert volumes.to_pylist() == [f"{root}/v.nii.gz"]
    assert {item.name for item in left_out} == {"a.PNG", "b.png", "deep/x.dcm", "deep/y.png", "notes.txt"}


def test_an_archive_is_a_folder_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.png", b"x")
    uri = f"zip://::file://{tmp_path}/a.zip"
    assert image_places([uri])[0].to_pylist() == [f"zip://x.png::file://{tmp_path}/a.zip"]


def test_a_folder_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="IMAGE must be an image or a folder of them; got 'memory://none/'"):
        image_places(["memory://none/"])


def test_a_list_names_files_from_its_folder_and_uris(tmp_path: Path) -> None:
    listed = tmp_path / "lists" / "l.txt"
    listed.parent.mkdir()
    listed.write_bytes("\ufeffa.png\r\n\r\n/data/b c.png\n s3://bucket/x\na.png\nfile:///d.png".encode())
    images, left_out = image_places(lists=[listed])
    assert images.to_pylist() == [str(listed.parent / "a.png"), "/data/b c.png", "s3://bucket/x", "/d.png"]
    assert left_out_lines(left_out) == [f"1 image(s) left out, it is given more than once: {listed.parent / 'a.png'}"]


def test_an_image_of_a_folder_and_a_list_is_one(tmp_path: Path) -> None:
    path = blank(tmp_path / "a.png")
    (tmp_path / "l.txt").write_text("a.png\n")
    images, _ = image_places([path], lists=[tmp_path / "l.txt"])
    assert images.to_pylist() == [str(path)]


def test_a_list_of_many_lines_is_read_whole(tmp_path: Path) -> None:
    names = [f"s3://bucket/{number}.png" for number in range(200_000)]
    (tmp_path / "l.txt").write_text("\n".join(names))
    images, _ = image_places(lists=[tmp_path / "l.txt"])
    assert images.to_pylist() == names


@pytest.mark.parametrize("content", [b"a.png\n\xff\xfe.png\n", b"a\0.png\n"])
def test_a_list_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"l\.txt: the list must be UTF-8 text, an image per line; got "):
        image_places(lists=[tmp_path / "l.txt"])


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="A URI must be of a kind that fsspec knows; got 'foo://x/'"):
        image_places(["foo://x/"])
