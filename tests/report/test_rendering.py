# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gu2net.report import Document, Section, Table, render_markdown, write_page, write_report
from monai_gu2net.report.document import Cases, Picture

HOSTILE = "\"><script>alert(1)</script><img src=http://x.org/a.png onerror='x'> & `|`"


class Page(HTMLParser):
    """The elements and the text of a page; elements that are not closed in their order fail."""

    VOID = {"meta", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def noise(path: Path, rng: np.random.Generator, width=40, height=50) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Two domains with four cases each, of which three are chosen and one has no image; names hold markup."""
    folder = tmp_path_factory.mktemp("report")
    Image.new("L", (40, 50), 99).save(folder / "image.png")
    rows, images = [], {}
    for domain, unit in (("head", "mm"), (HOSTILE, "px")):
        for n in range(4):
            case = f"{n}{HOSTILE}"
            images[domain, case] = folder / "image.png"
            points = {"reference_x": 5.0, "reference_y": 6.0, "predicted_x": 7.0, "predicted_y": 8.0}
            rows += [
                {"case": case, "domain": domain, "landmark": f"{m}{HOSTILE}", "error": n + m, "unit": unit, **points}
                for m in range(3)
            ]
    del images["head", f"3{HOSTILE}"]
    write_report(
        folder,
        rows,
        images=images,
        protocol={HOSTILE: HOSTILE},
        annotators={HOSTILE: [row for row in rows if row["domain"] == "head"]},
        failures=[{"case": HOSTILE, "domain": "head", "reason": HOSTILE}],
        worst=2,
    )
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_no_text_becomes_markup(report: Page):
    assert report.all("script") == []
    assert all("onerror" not in attributes for _, attributes in report.elements)
    assert report.text_of("dt").count(HOSTILE) == report.text_of("dd").count(HOSTILE) == 1
    assert f"head {HOSTILE}: {HOSTILE}" in report.text_of("li")
    assert [text for text in report.text_of("th") if text.endswith(HOSTILE)][-3:] == [f"{m}{HOSTILE}" for m in range(3)]


def test_a_page_refers_to_nothing_outside(report: Page):
    sources = [attributes["src"] for attributes in report.all("img")]
    targets = [attributes["href"] for attributes in report.all("a")]
    assert all(source.startswith(("data:image/png;base64,", "data:image/jpeg;base64,")) for source in sources)
    assert all(target.startswith("#s") for target in targets)
    assert {attributes["id"] for attributes in report.all("h2")} == {target[1:] for target in targets}
    assert {tag for tag, _ in report.elements}.isdisjoint({"link", "iframe", "script", "object", "base"})
    assert {key for _, attributes in report.elements for key in attributes}.isdisjoint({"srcset", "style", "onclick"})
    policy = next(meta["content"] for meta in report.all("meta") if meta.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not any("url(" in text or "@import" in text for text in report.text_of("style"))


def test_a_page_has_all_tables_plots_and_cases(report: Page):
    assert len(report.all("table")) == 4  # domains, annotators, landmarks of two domains
    sources = [attributes["src"] for attributes in report.all("img")]
    assert sum("image/png" in source for source in sources) == 3  # curves, landmarks of two domains
    assert sum("image/jpeg" in source for source in sources) == len(report.all("figure")) == 5
    for source in sources:
        with Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) as picture:
            picture.load()
    captions = report.text_of("figcaption")
    assert sum(": worst" in caption for caption in captions) == 3
    assert sum(": median" in caption for caption in captions) == 2
    assert any("No picture: the case has no image file" in line for line in report.text_of("li"))


def test_a_page_can_be_read_aloud(report: Page):
    assert report.all("html")[0]["lang"] == "en"
    assert report.text_of("title") == report.text_of("h1") == ["Landmark detection: results"]
    assert all(attributes["alt"] for attributes in report.all("img"))
    assert {attributes["scope"] for attributes in report.all("th")} == {"col", "row"}
    assert sum(attributes["scope"] == "row" for attributes in report.all("th")) == 2 + 1 + 3 + 3
    assert all(attributes["aria-label"] for attributes in report.all("div") if attributes.get("role") == "region")


def test_markdown_and_page_say_the_same(tmp_path: Path, rng):
    noise(tmp_path / "plot.png", rng)
    document = Document(
        "Title",
        [
            Section("One", ["A paragraph.", {"Fact": "told"}, ["first", "second"]]),
            Section("Two", [Table("T", ["Name", "n"], [["x", "1"]]), Picture("plot.png", "noise")]),
            Section("Three", [Cases([("case 1", "plot.png"), ("case 2: none", None)])]),
        ],
    )

    page = Page(write_page(tmp_path / "page.html", document).read_text())
    markdown = render_markdown(document)

    for text in ("Title", "One", "A paragraph.", "Fact", "told", "second", "Name", "x", "1", "case 1", "case 2: none"):
        assert text in markdown
        assert text in [said for _, said in page.texts]
    assert page.text_of("caption") == ["T"]
    assert len(page.all("img")) == 2
    assert page.all("img")[0]["width"] == str(round(40 * 96 / 128))


def test_markdown_of_every_kind_of_part_is_as_written_by_hand():
    hostile = "a|b\n# *c* <i>&`[l](u) {{ 1 }} \\"
    escaped = r"a\|b # \*c\* &lt;i>&amp;\`\[l\](u) {{ 1 }} \\"
    parts = [
        hostile,
        [hostile, "second"],
        {hostile: hostile},
        Table(hostile, ["#", hostile, "n"], [["1", hostile, "2"]], text_columns=2),
        Picture("plot.png", hostile),
        Cases([(hostile, "one.png"), (hostile, None)], Picture("all.png", hostile)),
    ]

    assert render_markdown(Document(hostile, [Section(hostile, parts), Section("Empty", [])])) == (
        f"# {escaped}\n\n## {escaped}\n\n"
        f"{escaped}\n\n"
        f"- {escaped}\n- second\n\n"
        f"- **{escaped}**: {escaped}\n\n"
        f"| # | {escaped} | n |\n| --- | --- | ---: |\n| 1 | {escaped} | 2 |\n\n"
        f"![{escaped}](plot.png)\n\n"
        f"![{escaped}](all.png)\n\n- [{escaped}](one.png)\n- {escaped}\n\n"
        "## Empty\n"
    )


def test_many_pictures_are_made_smaller(tmp_path: Path, rng, monkeypatch):
    files = [noise(tmp_path / f"{n}.png", rng, 900, 1200).name for n in range(4)]
    document = Document("Title", [Section("Cases", [Cases([(file, file) for file in files])])])
    monkeypatch.setattr("monai_gu2net.report.rendering._PICTURE_BYTES", 1_000_000)

    page = write_page(tmp_path / "page.html", document)

    assert page.stat().st_size < 4 / 3 * 1_000_000 + 10_000


def test_a_table_whose_lines_do_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"Each line of the table 'T' must have 2 cells; got \['x'\]"):
        Table("T", ["a", "b"], [["x"]])
