# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from hypothesis import given, settings
from pydicom.dataset import Dataset

from monai_gu2net.dicom import Derivation, DicomError, read_header, read_radiograph
from monai_gu2net.dicom.presentation_state import LANDMARK_LAYER, RADIUS_LAYER, write_presentation_state
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS

NAN = math.nan
MODEL = {"model": "GU2Net", "model_version": "1.2"}
HEAD = LandmarkSet(("sella", "nasion"), [[3.25, 4.5], [NAN, NAN]], "index")


def state_of(tmp_path: Path, landmarks: LandmarkSet = HEAD, *, radius_px: Any = None, **tags: Any) -> Dataset:
    """The presentation state that is written for an image with these tags."""
    image = make_dicom(tmp_path / "image.dcm", picture(), **tags)
    path = tmp_path / "case.pr.dcm"
    write_presentation_state(path, landmarks, derivation=Derivation(read_header(image), **MODEL), radius_px=radius_px)
    return pydicom.dcmread(path)


def layer(state: Dataset, name: str) -> Dataset:
    return next(item for item in state.GraphicAnnotationSequence if item.GraphicLayer == name)


def graphics(state: Dataset, name: str, kind: str) -> list[list[float]]:
    return [list(item.GraphicData) for item in layer(state, name).GraphicObjectSequence if item.GraphicType == kind]


def test_a_landmark_is_a_point_a_cross_and_its_name_half_a_pixel_from_the_index(tmp_path: Path) -> None:
    state = state_of(tmp_path)
    assert graphics(state, LANDMARK_LAYER, "POINT") == [[3.75, 5.0]]
    assert graphics(state, LANDMARK_LAYER, "POLYLINE") == [[0.75, 5.0, 6.75, 5.0, 3.75, 5.0, 3.75, 2.0, 3.75, 8.0]]
    [text] = layer(state, LANDMARK_LAYER).TextObjectSequence
    assert (text.UnformattedTextValue, text.AnchorPointAnnotationUnits) == ("sella", "PIXEL")
    assert [item.GraphicLayer for item in state.GraphicLayerSequence] == [LANDMARK_LAYER]


def test_a_name_stands_in_a_box_beside_its_point_which_a_line_joins_to_it(tmp_path: Path) -> None:
    [text] = layer(state_of(tmp_path), LANDMARK_LAYER).TextObjectSequence
    assert list(text.AnchorPoint) == [3.75, 5.0]
    assert text.AnchorPointVisibility == "Y"
    assert text.BoundingBoxAnnotationUnits == "PIXEL"
    left, top = text.BoundingBoxTopLeftHandCorner
    right, bottom = text.BoundingBoxBottomRightHandCorner
    assert 3.75 < left < 3.75 + 2
    assert top < 5.0 < bottom
    assert right - left == pytest.approx(5 * 0.6 * (bottom - top), rel=1e-5)
    assert text.BoundingBoxTextHorizontalJustification == "LEFT"


def test_at_the_right_edge_a_name_stands_left_of_its_point(tmp_path: Path) -> None:
    [text] = layer(
        state_of(tmp_path, LandmarkSet(("sella",), [[43.0, 10.0]], "index")), LANDMARK_LAYER
    ).TextObjectSequence
    assert text.BoundingBoxBottomRightHandCorner[0] < 43.5
    assert text.BoundingBoxTextHorizontalJustification == "RIGHT"


def test_the_arms_of_a_cross_at_the_corner_stay_in_the_displayed_area(tmp_path: Path) -> None:
    state = state_of(tmp_path, LandmarkSet(("a", "b"), [[-0.5, 1.0], [43.5, 35.5]], "index"))
    points = np.reshape(graphics(state, LANDMARK_LAYER, "POLYLINE"), (-1, 2))
    assert (points >= 0).all()
    assert (points <= [44, 36]).all()


def test_a_radius_is_a_circle_around_the_point(tmp_path: Path) -> None:
    state = state_of(tmp_path, radius_px=[2.5, NAN])
    assert graphics(state, RADIUS_LAYER, "CIRCLE") == [[3.75, 5.0, 6.25, 5.0]]


def test_pixels_that_are_not_square_make_it_an_ellipse_by_its_axes(tmp_path: Path) -> None:
    state = state_of(tmp_path, radius_px=[[1.0, 2.0], [NAN, NAN]])
    assert graphics(state, RADIUS_LAYER, "ELLIPSE") == [[3.75, 3.0, 3.75, 7.0, 2.75, 5.0, 4.75, 5.0]]


def test_where_nothing_was_found_there_are_no_graphics(tmp_path: Path) -> None:
    state = state_of(tmp_path, LandmarkSet(("a",), [[NAN, NAN]], "index"))
    assert "GraphicAnnotationSequence" not in state
    assert "GraphicLayerSequence" not in state


@pytest.mark.parametrize(
    ("photometric", "shape", "expected"),
    [
        ("MONOCHROME2", None, "IDENTITY"),
        ("MONOCHROME1", None, "INVERSE"),
        ("MONOCHROME1", "INVERSE", "INVERSE"),
        ("MONOCHROME2", "IDENTITY", "IDENTITY"),
        ("MONOCHROME2", "INVERSE", "INVERSE"),
    ],
)
def test_polarity_is_stated_once(tmp_path: Path, photometric: str, shape: str | None, expected: str) -> None:
    tags = {} if shape is None else {"PresentationLUTShape": shape}
    assert state_of(tmp_path, photometric=photometric, **tags).PresentationLUTShape == expected


def test_how_the_image_is_shown_is_said_again(tmp_path: Path) -> None:
    state = state_of(
        tmp_path,
        RescaleSlope="0.5",
        RescaleIntercept="100",
        WindowCenter=["900", "1"],
        WindowWidth=["1500", "2"],
        PixelSpacing=["0.1", "0.2"],
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=3,
        ShutterRightVerticalEdge=40,
        ShutterUpperHorizontalEdge=2,
        ShutterLowerHorizontalEdge=30,
    )
    assert (state.RescaleSlope, state.RescaleIntercept, state.RescaleType) == (0.5, 100, "US")
    [window] = state.SoftcopyVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == (900, 1500)
    [area] = state.DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaBottomRightHandCorner) == [44, 36]
    assert list(area.PresentationPixelSpacing) == [0.1, 0.2]
    assert (state.ShutterShape, state.ShutterRightVerticalEdge, state.Laterality) == ("RECTANGULAR", 40, "L")


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": b"0", "RescaleIntercept": b"1"},
        {"RescaleSlope": b"nan", "RescaleIntercept": b"1"},
        {"WindowCenter": b"100", "WindowWidth": b"0"},
        {"WindowCenter": b"100"},
        {"PixelSpacing": b"0\\0"},
        {"PixelSpacing": b"abc"},
    ],
    ids=str,
)
def test_nonsense_is_not_said_again(tmp_path: Path, tags: dict[str, bytes]) -> None:
    state = state_of(tmp_path, **tags)
    assert not {"RescaleSlope", "SoftcopyVOILUTSequence"} & set(state.dir())
    assert list(state.DisplayedAreaSelectionSequence[0].PresentationPixelAspectRatio) == [1, 1]


@pytest.mark.parametrize("bits", [12, 16])
def test_a_lut_keeps_its_words_and_how_many_bits_of_them_count(tmp_path: Path, bits: int) -> None:
    """Of 12 bits said to be 16, the image would be shown nearly black."""
    words = [0, 300, 700, 2**bits - 1]
    lut = Dataset()
    lut.LUTDescriptor = [4, 0, bits]
    lut["LUTDescriptor"].VR = "US"
    lut.LUTData = np.array(words, dtype="<u2").tobytes()
    lut["LUTData"].VR = "OW"
    [item] = state_of(tmp_path, VOILUTSequence=[lut]).SoftcopyVOILUTSequence
    copy = item.VOILUTSequence[0]
    assert list(copy.LUTDescriptor) == [4, 0, bits]
    assert np.frombuffer(copy.LUTData, "<u2").tolist() == words


def test_an_inverted_image_with_a_modality_lut_is_shown_as_it_is_read(tmp_path: Path) -> None:
    """What the state says, carried out by pydicom: the LUT of the stored values, then the inversion."""
    table = np.arange(4096) ** 2 // 256
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [4096, 0, 16])
    lut.add_new("LUTData", "US", table.tolist())
    lut.ModalityLUTType = "US"
    state = state_of(tmp_path, photometric="MONOCHROME1", ModalityLUTSequence=[lut])
    assert state.PresentationLUTShape == "INVERSE"
    shown = table.max() - pydicom.pixels.apply_modality_lut(picture(), state)
    np.testing.assert_array_equal(read_radiograph(tmp_path / "image.dcm").pixels, shown.T)


def test_it_refers_to_the_image_and_belongs_to_its_study(tmp_path: Path) -> None:
    state = state_of(tmp_path)
    image = pydicom.dcmread(tmp_path / "image.dcm")
    [series] = state.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert (state.PatientID, state.StudyInstanceUID) == (image.PatientID, image.StudyInstanceUID)
    assert state.SeriesInstanceUID != image.SeriesInstanceUID


def test_a_colour_image_is_refused(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", np.zeros((4, 4, 3), np.uint8), photometric="RGB", bits_stored=8)
    with pytest.raises(DicomError, match=r"^case\.pr\.dcm: .* one grey sample; it has not"):
        write_presentation_state(tmp_path / "case.pr.dcm", HEAD, derivation=Derivation(read_header(image), **MODEL))


def test_radii_for_other_landmarks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"radius_px must have shape \(2,\) or \(2, 2\)"):
        state_of(tmp_path, radius_px=[1.0])


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read_header(make_dicom(tmp_path_factory.mktemp("image") / "image.dcm", picture()))


@settings(max_examples=20)
@given(
    names=st.lists(
        st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=80),
        unique=True,
        min_size=1,
        max_size=4,
    ),
    data=st.data(),
)
def test_the_points_and_names_come_back(header: Dataset, names: list[str], data: st.DataObject) -> None:
    coordinate = st.floats(-0.5, 20_000.0) | st.just(NAN)
    points = np.array([data.draw(st.tuples(coordinate, coordinate)) for _ in names])
    points[np.isnan(points).any(axis=1)] = np.nan
    landmarks = LandmarkSet(tuple(names), points, "index")
    with TemporaryDirectory() as folder:
        state = pydicom.dcmread(
            write_presentation_state(Path(folder) / "case.pr.dcm", landmarks, derivation=Derivation(header, **MODEL))
        )
    if not landmarks.present.any():
        assert "GraphicAnnotationSequence" not in state
        return
    shown = np.array(graphics(state, LANDMARK_LAYER, "POINT"))
    np.testing.assert_allclose(shown - 0.5, points[landmarks.present], rtol=0, atol=0.01)
    texts = [item.UnformattedTextValue for item in layer(state, LANDMARK_LAYER).TextObjectSequence]
    assert texts == [name for name, here in zip(names, landmarks.present, strict=True) if here]


def test_the_landmarks_of_a_hand_are_all_shown(tmp_path: Path, rng: np.random.Generator) -> None:
    hand = LandmarkSet(HAND_LANDMARKS, rng.uniform(0, 35, (37, 2)), "index")
    state = state_of(tmp_path, hand, radius_px=np.full(37, 2.0))
    np.testing.assert_allclose(graphics(state, LANDMARK_LAYER, "POINT"), hand.points + 0.5, atol=0.01)
    assert len(graphics(state, RADIUS_LAYER, "CIRCLE")) == 37
