# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pynetdicom import AE

from monai_gu2net.__main__ import main
from monai_gu2net.connections import NoAnswerError, RadiographAnswers, spool_name
from monai_gu2net.data import Datalist, Domain
from monai_gu2net.engines import fit_appearances
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import PredictionOptions


@pytest.fixture(scope="module")
def model(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of the phantom's domains, with small inputs."""
    data = Datalist.load(tiny_phantom)
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard(
        {name: domain.resized((32, 32)) for name, domain in data.domains.items()}, network.description, provenance={}
    )
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture
def make(make_dicom: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Writes an image of 40 by 48 pixels, called as in a spool."""

    def write(uid: str = "1.2.3", **tags: object) -> Path:
        pixels = np.add.outer(np.arange(48), np.arange(40)).astype(np.uint16)
        path = make_dicom(tmp_path / "made.dcm", pixels, SOPInstanceUID=uid, ImagerPixelSpacing=[0.2, 0.1], **tags)
        return path.rename(tmp_path / f"{spool_name(uid)}.dcm")

    return write


def answered(answers: RadiographAnswers, image: Path, folder: Path) -> dict[str, pydicom.Dataset]:
    folder.mkdir()
    answers(image, folder)
    return {path.name.partition(".")[2]: pydicom.dcmread(path) for path in folder.iterdir()}


def test_an_answer_is_an_sr_and_a_gsps_of_the_images_study_with_uids_known_before(
    model: Path, make: Callable[..., Path], tmp_path: Path
) -> None:
    answers = RadiographAnswers(model, domain="hand")
    image = make()
    answer = answered(answers, image, tmp_path / "a")
    assert set(answer) == {"sr.dcm", "text.dcm", "pr.dcm"}
    header = pydicom.dcmread(image)
    assert {each.StudyInstanceUID for each in answer.values()} == {header.StudyInstanceUID}
    assert answer["sr.dcm"].SOPInstanceUID == answers.uids("1.2.3", "hand")["sr"]
    assert answer["text.dcm"].SOPInstanceUID == answers.uids("1.2.3", "hand")["text"]
    assert answer["pr.dcm"].SOPInstanceUID == answers.uids("1.2.3", "hand")["gsps"]
    again = answered(RadiographAnswers(model, domain="hand"), image, tmp_path / "b")
    assert {each.SOPInstanceUID for each in again.values()} == {each.SOPInstanceUID for each in answer.values()}
    assert {each.SeriesInstanceUID for each in again.values()} == {each.SeriesInstanceUID for each in answer.values()}


def test_an_answer_consists_of_the_formats_asked_for(model: Path, make: Callable[..., Path], tmp_path: Path) -> None:
    answers = RadiographAnswers(model, domain="hand", formats=["gsps", "sc"])
    answer = answered(answers, make(), tmp_path / "a")
    assert {each.SOPInstanceUID for each in answer.values()} == set(answers.uids("1.2.3", "hand").values())
    assert set(answer) == {"pr.dcm", "sc.dcm"}
    assert answer["sc.dcm"].pixel_array.shape[2] == 3


def test_a_model_of_volumes_is_refused_before_anything_is_received(tmp_path: Path) -> None:
    network = GU2Net(3, 1, {"skull": 1}, features=(2, 4), global_features=2, dilations=(1,))
    card = ModelCard({"skull": Domain("skull", ("a",), (16, 16, 16))}, network.description)
    model = save_model(tmp_path / "model.pt", network, card)
    with pytest.raises(
        ValueError, match=r"must be one of radiographs.*got volumes \(skull\)\. Have the slices .* saved"
    ):
        RadiographAnswers(model)


@pytest.mark.parametrize("formats", [["sr", "png"], []])
def test_a_format_that_no_answer_has_is_an_error(model: Path, formats: list[str]) -> None:
    with pytest.raises(ValueError, match=r"formats must be among \['sr', 'gsps', 'sc'\]"):
        RadiographAnswers(model, domain="hand", formats=formats)


def test_another_image_domain_model_or_use_gives_other_uids(model: Path) -> None:
    variants = [
        RadiographAnswers(model, domain="hand"),
        RadiographAnswers(model, domain="hand", options=PredictionOptions(tta=2)),
        RadiographAnswers(model, domain="hand", options=PredictionOptions(min_confidence=0.5)),
        RadiographAnswers(model, domain="hand", options=PredictionOptions(accept_spacing_source=["detector"])),
        RadiographAnswers(model, domain="hand", options=PredictionOptions(precision="bfloat16")),
        RadiographAnswers([model, model], domain="hand"),
    ]
    uids = [uid for each in variants for uid in each.uids("1.2.3", "hand").values()]
    uids += [*variants[0].uids("1.2.4", "hand").values(), *variants[0].uids("1.2.3", "head").values()]
    assert len(set(uids)) == len(uids)


def test_the_body_part_chooses_the_domain(model: Path, make: Callable[..., Path]) -> None:
    answers = RadiographAnswers(model, by_body_part={"skull": "head", "HAND": "hand"})
    assert answers.domain_in(make(BodyPartExamined="HAND")) == "hand"
    assert answers.domain_in(make(BodyPartExamined="SKULL")) == "head"
    for other in ("FOOT", None, b"\xff\xfe"):
        image = make(BodyPartExamined=other)
        with pytest.raises(NoAnswerError, match=r"must be of a body part among \['HAND', 'SKULL'\]"):
            answers.domain_in(image)
    assert RadiographAnswers(model, domain="chest", by_body_part={"HAND": "hand"}).checked_domain("FOOT") == "chest"


@pytest.mark.parametrize("options", [{}, {"domain": "knee"}, {"by_body_part": {"KNEE": "knee"}}])
def test_a_domain_that_the_model_lacks_is_an_error(model: Path, options: dict) -> None:
    with pytest.raises(ValueError, match=r"domain must be one of the model's \['head', 'hand', 'chest'\]"):
        RadiographAnswers(model, **options)


def test_an_image_sent_under_the_uid_of_another_has_no_answer(model: Path, make: Callable[..., Path]) -> None:
    image = make("1.2.3")
    image = image.rename(image.with_name(f"{spool_name('9.9.9')}.dcm"))
    with pytest.raises(NoAnswerError, match="must have the SOP Instance UID that it was sent with"):
        RadiographAnswers(model, domain="hand")(image, image.parent)


@pytest.mark.parametrize(
    "breakage",
    [
        lambda content: b"",
        lambda content: content[:200],
        lambda content: content[:-2000],
        lambda content: content.replace(b"MONOCHROME2 ", b"RGB         "),
    ],
)
def test_an_image_that_cannot_be_read_has_no_answer_and_the_reason_no_value(
    model: Path, make: Callable[..., Path], tmp_path: Path, breakage: Callable[[bytes], bytes]
) -> None:
    image = make(PatientName="Plant^Name", PatientID="PLANT-ID")
    image.write_bytes(breakage(image.read_bytes()))
    (tmp_path / "out").mkdir()
    with pytest.raises(NoAnswerError, match=f"^{image.name}|must have the SOP Instance UID") as caught:
        RadiographAnswers(model, domain="hand")(image, tmp_path / "out")
    assert str(tmp_path) not in str(caught.value)
    assert "plant" not in str(caught.value).lower()
    assert not list((tmp_path / "out").glob("*.dcm"))


class TestListen:
    def test_images_that_are_sent_come_back_answered_until_a_signal_ends_it(
        self, model: Path, make: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys
    ) -> None:
        image, other = pydicom.dcmread(make("1.2.3")), pydicom.dcmread(make("1.2.4", BodyPartExamined="FOOT"))
        statuses: list[int] = []

        def send() -> None:
            end = time.monotonic() + 60
            while "listens at" not in caplog.text and time.monotonic() < end:
                time.sleep(0.01)
            port = int(caplog.text.split("listens at 127.0.0.1:")[1].split(";")[0])
            application = AE(ae_title="MODALITY")
            application.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
            association = application.associate("127.0.0.1", port, ae_title="GU2NET")
            statuses.extend(association.send_c_store(each).Status for each in (image, other))
            association.release()
            while len(list((tmp_path / "out").glob("*.dcm"))) < 2 or not list(failed.glob("*.json")):
                if time.monotonic() > end:
                    break
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)

        failed = tmp_path / "spool" / "failed"
        before = signal.getsignal(signal.SIGTERM)
        sender = threading.Thread(target=send)
        sender.start()
        arguments = ["listen", "-m", str(model), "--domain-by-body-part", "HAND=hand", "--allow", "MODALITY"]
        level = logging.getLogger("monai_gu2net").level
        try:
            with caplog.at_level(logging.INFO, "monai_gu2net"):
                assert (
                    main(
                        [
                            *arguments,
                            "--port",
                            "0",
                            "--spool",
                            str(tmp_path / "spool"),
                            "--answer-dir",
                            str(tmp_path / "out"),
                        ]
                    )
                    == 0
                )
        finally:
            logging.getLogger("monai_gu2net").setLevel(level)
        sender.join()
        assert signal.getsignal(signal.SIGTERM) == before
        assert statuses == [0x0000, 0x0000]
        name = spool_name("1.2.3")
        assert {path.name for path in (tmp_path / "out").iterdir()} == {
            f"{name}.{kind}.dcm" for kind in ("sr", "text", "pr")
        }
        reason = json.loads((failed / f"{spool_name('1.2.4')}.json").read_text())["reason"]
        assert "must be of a body part among ['HAND']" in reason
        assert "Stopped; 0 wait in the spool" in capsys.readouterr().out

    @pytest.mark.parametrize("answer", ["PACS", "PACS@host", "PACS@host:0", "PACS@host:99999", "@host:104"])
    def test_a_destination_that_is_none_is_refused(self, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["listen", "-m", "x", "--allow", "A", "--spool", "s", "--answer", answer])
        assert "must be AE@HOST:PORT" in capsys.readouterr().err


class TestDicomWebCommand:
    def test_answers_must_go_somewhere(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["dicomweb", "http://127.0.0.1:9", "-m", "x"]) == 2
        assert "error: --store or --output-dir must be given" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "text"),
        [("--filter=BodyPart", "KEYWORD=VALUE"), ("--domain-by-body-part=HAND", "PART=DOMAIN")],
    )
    def test_a_pair_that_is_none_is_refused(self, option: str, text: str, capsys) -> None:
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["dicomweb", "http://127.0.0.1:9", "-m", "x", option])
        assert f"must be {text}" in capsys.readouterr().err

    def test_a_variable_without_a_token_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["dicomweb", "https://127.0.0.1:9", "-m", "x", "--store", "--token-variable", "NO_SUCH_TOKEN"]
        assert main(arguments) == 2
        assert "'NO_SUCH_TOKEN' must hold a token" in capsys.readouterr().err


def test_without_a_domain_it_is_told_from_the_image_and_one_of_none_has_no_answer(
    tiny_phantom: Path, model: Path, make: Callable[..., Path], make_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    data = Datalist.load(tiny_phantom)
    fitted, _ = fit_appearances(model, data, output=tmp_path / "fitted.pt")
    answers = RadiographAnswers(fitted)
    assert answers.checked_domain("HAND") is None
    for case in data.training:
        pixels = np.asarray(Image.open(case["image"]).convert("L")).astype(np.uint16)
        image = make_dicom(tmp_path / f"{spool_name('1.2.3')}.dcm", pixels, SOPInstanceUID="1.2.3")
        assert answers.domain_in(image) == case["domain"]
    answer = answered(answers, image, tmp_path / "a")
    told = data.training[-1]["domain"]
    assert answer["sr.dcm"].SOPInstanceUID == answers.uids("1.2.3", told)["sr"]
    with pytest.raises(NoAnswerError, match="The image must be of a domain of the model, with a score of at most 1"):
        answers.domain_in(make("1.2.4"))
