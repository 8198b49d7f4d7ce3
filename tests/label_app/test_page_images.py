# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The images that the annotation page shows, and its files."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import re
import warnings
from pathlib import Path
from types import ModuleType

import nibabel
import numpy as np
import pytest
from fastapi import HTTPException
from PIL import Image
from posed_volumes import POSES, lps_of, write_volume

from monai_gu2net.label_app.window import default_window, shown_range


@pytest.fixture(scope="module")
def page() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what MONAI Label imports
        return importlib.import_module("monai_gu2net.label_app.annotation_page")


@pytest.fixture
def picture(rng) -> np.ndarray:
    """(H, W) 12-bit pixels."""
    return rng.integers(0, 4096, (30, 40)).astype(np.uint16)


def shown(page: ModuleType, path: Path) -> np.ndarray:
    """(H, W) grey of the PNG."""
    with Image.open(io.BytesIO(page.draw_image(path).body)) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_the_png_has_every_pixel_scaled_between_the_ends_of_the_range(page, tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    about = page.describe_image(tmp_path / "a.png")
    assert about["size"] == [40, 30]
    assert (about["spacing"], about["spacing_source"]) == (None, "none")
    black, white = about["window"]
    assert np.mean(picture < black) == pytest.approx(0.005, abs=0.002)
    assert np.mean(picture > white) == pytest.approx(0.005, abs=0.002)
    lowest, highest = about["range"]
    assert (lowest, highest) == (picture.min(), picture.max())  # half a window further would be outside
    expected = (picture.astype(float) - lowest) / (highest - lowest) * 255
    np.testing.assert_allclose(shown(page, tmp_path / "a.png"), expected, atol=0.51)


def test_a_dicom_window_is_taken_and_leaves_room_on_both_sides(page, tmp_path, picture, make_dicom):
    path = make_dicom(tmp_path / "a.dcm", picture, WindowCenter=1000, WindowWidth=401, ImagerPixelSpacing=[0.2, 0.1])
    about = page.describe_image(path)
    # PS3.3 C.11.2.1.2.1: center 1000 and width 401 reach from 799.5 to 1199.5
    assert about["window"] == (799.5, 1199.5)
    assert about["range"] == (599.5, 1399.5)
    assert about["spacing"] == [0.1, 0.2]
    grey = shown(page, path)
    assert set(grey[picture <= 599]) == {0}
    assert set(grey[picture >= 1400]) == {255}
    np.testing.assert_allclose(grey[picture == 1000], 255 * 400.5 / 800, atol=0.51)


def test_both_polarities_of_an_image_look_the_same(page, tmp_path, picture, make_dicom):
    one = make_dicom(tmp_path / "1.dcm", 4095 - picture, photometric="MONOCHROME1", WindowCenter=3095, WindowWidth=401)
    # 3095 reaches from 2894.5 to 3294.5, which in the twin's values is from 800.5 to 1200.5
    two = make_dicom(tmp_path / "2.dcm", picture, photometric="MONOCHROME2", WindowCenter=1001, WindowWidth=401)
    first, second = page.describe_image(one), page.describe_image(two)
    np.testing.assert_allclose(first["window"], second["window"], atol=1e-9)
    np.testing.assert_array_equal(shown(page, one), shown(page, two))


@pytest.mark.parametrize("tags", [{"WindowCenter": 9000, "WindowWidth": 10}, {"WindowCenter": 1000, "WindowWidth": 0}])
def test_a_window_that_shows_nothing_gives_way_to_percentiles(page, tmp_path, picture, make_dicom, tags):
    path = make_dicom(tmp_path / "a.dcm", picture, photometric="MONOCHROME2", **tags)
    np.testing.assert_allclose(page.describe_image(path)["window"], np.percentile(picture, (0.5, 99.5)))


def test_an_image_of_one_value_has_a_window(tmp_path):
    window = default_window(tmp_path / "a.png", np.full((4, 5), 7.0, dtype=np.float32))
    assert window == (7.0, 8.0)
    assert shown_range(window, np.full((4, 5), 7.0)) == (7.0, 8.0)


def test_no_identity_is_in_what_the_page_gets(page, tmp_path, picture, make_dicom):
    path = make_dicom(tmp_path / "a.dcm", picture, PatientName="Secret^Name", PatientID="secret-id")
    told = json.dumps(page.describe_image(path)).encode() + page.draw_image(path).body
    assert not re.search(rb"secret", told, re.IGNORECASE)
    assert page.draw_image(path).headers["cache-control"] == "no-store"


def test_an_image_that_cannot_be_read_is_refused_with_its_reason_and_without_its_folder(page, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(HTTPException) as refused:
        page.describe_image(tmp_path / "a.png")
    assert refused.value.status_code == 422
    assert refused.value.detail.startswith("a.png must be a whole picture")
    assert str(tmp_path) not in refused.value.detail


@pytest.mark.parametrize("name", ["../page.py", "nothing.js", "openseadragon"])
def test_only_files_of_the_page_are_sent(page, name):
    with pytest.raises(HTTPException, match="404"):
        page.send_file(name)


def test_the_page_names_only_files_that_are_sent_and_no_other_place(page):
    names = set(page._FILES)
    assert {"index.html", "page.js", "page.css", "openseadragon/LICENSE.txt", "niivue/LICENSE.txt"} <= names
    for name in (name for name in names if not name.startswith(("openseadragon/", "niivue/"))):
        text = page._FILES[name].read_text(encoding="utf-8")
        for found in re.findall(r'(?:src|href)="([^"]+)"|from "\./([^"]+)"', text):
            target = "".join(found)
            assert target in names or target.startswith("data:"), target
        urls = set(re.findall(r"https?://[^\"' )]+", text))
        assert urls <= {"http://www.w3.org/2000/svg", "https://raw.githubusercontent.com/slicer/slicer/master/"}


@pytest.mark.parametrize("library", ["openseadragon/openseadragon.min.js", "niivue/niivue.umd.js"])
def test_a_library_is_the_one_that_its_notice_tells_of(page, library):
    file = page._FILES[library]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest in (file.parent / "README.txt").read_text()
    assert "Redistribution" in (file.parent / "LICENSE.txt").read_text()


@pytest.mark.filterwarnings("ignore:builtin type [sS]wig:DeprecationWarning")  # of ITK, which would crash
@pytest.mark.parametrize("name", POSES)
def test_a_volume_is_sent_as_nifti_with_its_voxels_where_its_file_has_them(page, tmp_path, rng, name):
    voxels = rng.integers(-1000, 3000, (6, 7, 5)).astype(float) * (1 if name.endswith(".gz") else 0.25)
    path = write_volume(tmp_path / name, voxels, POSES[name])
    about = page.describe_image(path)
    assert about["size"] == [6, 7, 5]
    assert (about["label_unit"], about["spacing_source"]) == ("mm", "file")
    np.testing.assert_allclose(about["spacing"], np.linalg.norm(POSES[name], axis=0), rtol=1e-5)
    sent = nibabel.Nifti1Image.from_bytes(page.send_volume(path).body)
    assert sent.get_data_dtype() == (np.int16 if name.endswith(".gz") else np.float32)  # as whole numbers are
    np.testing.assert_array_equal(np.asarray(sent.dataobj), voxels)
    corners = np.array([[0, 0, 0], [5, 0, 0], [0, 6, 0], [0, 0, 4]], dtype=float)
    ras = nibabel.affines.apply_affine(sent.affine, corners)
    np.testing.assert_allclose(ras * [-1, -1, 1], lps_of(path, corners), atol=1e-4)
    placed = np.c_[corners, np.ones(4)] @ np.array(about["label_affine"]).T
    np.testing.assert_allclose(placed[:, :3], lps_of(path, corners), atol=1e-4)


def test_a_volume_is_not_drawn_as_a_picture_and_a_radiograph_not_sent_as_a_volume(page, tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    volume = write_volume(tmp_path / "plain.nii.gz", np.ones((6, 7, 5)), POSES["plain.nii.gz"])
    with pytest.raises(HTTPException, match=r"plain\.nii\.gz must have two axes to be drawn"):
        page.draw_image(volume)
    with pytest.raises(HTTPException, match=r"a\.png must be a volume; got a radiograph"):
        page.send_volume(tmp_path / "a.png")
