# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""OHIF in a browser opens reports in an archive; what it showed is written as JSON.

Arguments: OHIF's built files; a folder with a folder of DICOM files for each study, which also takes what is written.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import chromium
import pydicom
from archive import HTTP, PASSWORD, archive, asked
from ohif_server import OhifServer

_PORT = 3000
_DRAWN_TITLE = "126000"  # of the reports that OHIF draws; others it shows as text
_MEASUREMENTS = "126010"
_REPORTS = "getActiveDisplaySets().filter(each => each.Modality === 'SR')"

# What is drawn of a tool: text, and where its first point is, in pixel indices of the image.
_DRAWN = """(tool => {
  const view = window.cornerstone.getRenderingEngines().flatMap(engine => engine.getViewports())[0];
  return window.cornerstoneTools.annotation.state.getAllAnnotations().filter(a => a.metadata.toolName === tool).map(
    a => [a.data.label ?? null, a.annotationUID,
      Array.from(view.getImageData().imageData.worldToIndex(a.data.handles.points[0])).slice(0, 2)]);
})"""
_SAVE = """window.commandsManager.runCommand(
  'storeMeasurements',
  { measurementData: window.services.measurementService.getMeasurements(), additionalFindingTypes: ['ArrowAnnotate'],
    dataSource: window.extensionManager.activeDataSource, options: { SeriesDescription: 'Saved', SeriesNumber: 99 } },
  'CORNERSTONE_STRUCTURED_REPORT').then(report => report.SOPInstanceUID)"""
_IN_SPACE = "1.2.840.10008.5.1.4.1.1.88.34"  # Comprehensive 3D SR
_TAKEN = "window.services.measurementService.getMeasurements().map(m => [m.uid, m.label, Array.from(m.points[0])])"
_JUMP = """window.commandsManager.runCommand('jumpToMeasurement',
  { uid: '%s', displayMeasurements: window.services.measurementService.getMeasurements() })"""
_SLICE = "window.cornerstone.getRenderingEngines().flatMap(engine => engine.getViewports())[0].getSliceIndex()"
_LISTED = "window.services.measurementService.getMeasurements().map(m => m.label)"


def store(files: list[Path]) -> None:
    for file in files:
        asked("instances", file.read_bytes())


def saved(page: Any) -> bytes:
    """OHIF's measurements as the report that its adapters write and store in the archive."""
    uid = page.js(_SAVE)
    [found] = json.loads(asked("tools/lookup", uid.encode()))
    return asked(f"instances/{found['ID']}/file")


def failures(page: Any) -> list[str]:
    """What no script of the page caught, and what its last resort for errors wrote instead of it."""
    page.js("0")  # what was said until now has come
    thrown = [event["params"] for event in page.events if event.get("method") == "Runtime.exceptionThrown"]
    wrong = page.js("document.body.innerText.includes('Something went wrong')")
    return [json.dumps(each)[:2000] for each in thrown] + (["Something went wrong"] if wrong else [])


def open_study(page: Any, study_uid: str, *, reports: int) -> None:
    started = f"window.services?.displaySetService?.{_REPORTS}.length === {reports}"
    for last in (False, True):  # the page was seen to stay empty once, on a busy machine
        page.events.clear()
        page.open("about:blank")  # what the page before it still does ends
        page.open(f"http://127.0.0.1:{_PORT}/viewer?StudyInstanceUIDs={study_uid}")
        try:
            page.wait(started, seconds=45)
            break
        except TimeoutError:
            if last:
                raise
    page.wait("!!window.cornerstone?.getRenderingEngines()?.[0]?.getViewports()[0]?.getImageData?.()", seconds=60)
    page.js("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Skip all')?.click()")


def show(page: Any, report: pydicom.Dataset) -> None:
    """Put a report where its image was, as a double click on it does."""
    page.js(f"""(() => {{
      const {{ displaySetService, viewportGridService: grid, hangingProtocolService: protocol }} = window.services;
      const shown = displaySetService.{_REPORTS}.find(d => d.SOPInstanceUID === '{report.SOPInstanceUID}');
      const views = protocol.getViewportsRequireUpdate(grid.getActiveViewportId(), shown.displaySetInstanceUID);
      grid.setDisplaySetsForViewports(views); }})()""")


def read(page: Any, report: pydicom.Dataset, picture: Path) -> dict[str, Any]:
    """Open a report that is to be read."""
    show(page, report)
    title = report.ConceptNameCodeSequence[0].CodeMeaning
    page.wait(f"document.body.innerText.includes({json.dumps('1. ' + title)})".replace("1. ", "1.\\u00a0"), seconds=30)
    picture.write_bytes(page.screenshot())
    return {"text": page.js("document.body.innerText"), "failures": failures(page)}


def take_over(page: Any, report: pydicom.Dataset, picture: Path) -> dict[str, Any]:
    """Open a report of points, and let OHIF take them over as its own measurements."""
    show(page, report)
    yes = "[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Yes')"
    page.wait(f"!!{yes} && {_DRAWN}('DICOMSRDisplay').length > 0", seconds=30)
    drawn = page.js(f"{_DRAWN}('DICOMSRDisplay')")
    x, y = page.center(".cornerstone-canvas")
    for last in (*[False] * 20, True):  # as a hand does, upon which OHIF draws again unless it is busy
        page.mouse("mouseMoved", x + 1, y)
        page.mouse("mouseMoved", x, y)
        try:
            page.wait("document.querySelectorAll('svg text').length > 0", seconds=2)
            break
        except TimeoutError:
            if last:
                raise
    written = page.js("[...document.querySelectorAll('svg text')].map(each => each.textContent)")
    picture.with_name(f"{picture.stem}-drawn.png").write_bytes(page.screenshot())
    page.js(f"{yes}.click()")
    count = len({uid for _, uid, _ in drawn})  # OHIF may draw one more than once, over itself
    page.wait(f"{_LISTED}.length >= {count} && {_DRAWN}('ArrowAnnotate').length >= {count}", seconds=30)
    time.sleep(0.5)  # any that are too many
    picture.write_bytes(page.screenshot())
    listed = page.js(_LISTED)
    if all(isinstance(label, str) for label in listed):  # one of two values, of a name with a backslash, it cannot save
        picture.with_suffix(".saved.dcm").write_bytes(saved(page))
    return {
        "drawn": drawn,
        "written": written,
        "listed": listed,
        "taken over": page.js(f"{_DRAWN}('ArrowAnnotate')"),
        "failures": failures(page),
    }


def take_over_in_space(page: Any, report: pydicom.Dataset, picture: Path) -> dict[str, Any]:
    """Open a report of points in space, let OHIF take them over, and go to each of them."""
    show(page, report)
    yes = "[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Yes')"
    imaging = [each for each in report.ContentSequence if each.ConceptNameCodeSequence[0].CodeValue == _MEASUREMENTS]
    count = len(imaging[0].ContentSequence)
    page.wait(f"!!{yes} && {_DRAWN}('DICOMSRDisplay').length >= {count}", seconds=30)
    page.js(f"{yes}.click()")
    page.wait(f"{_LISTED}.length >= {count}", seconds=30)
    taken = []
    for uid, label, point in page.js(_TAKEN):
        page.js(_JUMP % uid)
        page.wait("document.querySelectorAll('svg text').length > 0", seconds=30)
        time.sleep(1)  # what the last one left on the image is gone
        written = page.js("[...document.querySelectorAll('svg text')].map(each => each.textContent)")
        taken.append({"label": label, "point": point, "slice": page.js(_SLICE), "written": written})
    picture.write_bytes(page.screenshot())
    return {"taken over": taken, "failures": failures(page)}


def main(dist: Path, folder: Path) -> None:
    happened: dict[str, Any] = {}
    with archive(folder):
        server = OhifServer(dist, port=_PORT, archive=HTTP, password=PASSWORD)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        profile = folder / "profile"
        profile.mkdir()
        with chromium.Chromium(profile, size=(1500, 1000), options=chromium.SOFTWARE_3D) as page:
            for study in sorted((folder / "studies").iterdir()):
                files = sorted(study.glob("*.dcm"))
                store(files)
                found = {path: pydicom.dcmread(path) for path in files}
                reports = {path: each for path, each in found.items() if each.Modality == "SR"}
                begun = time.monotonic()
                open_study(page, str(found[files[0]].StudyInstanceUID), reports=len(reports))
                drawn = {
                    path: each.ConceptNameCodeSequence[0].CodeValue == _DRAWN_TITLE for path, each in reports.items()
                }
                for path in sorted(reports, key=lambda path: drawn[path]):  # OHIF asks once in a page
                    in_space = take_over_in_space if reports[path].SOPClassUID == _IN_SPACE else take_over
                    what = in_space if drawn[path] else read
                    name = path.name.removesuffix(".dcm")
                    happened[f"{study.name}/{name}"] = what(page, reports[path], folder / f"{study.name}-{name}.png")
                print(study.name, f"{time.monotonic() - begun:.1f} s", flush=True)
    (folder / "happened.json").write_text(json.dumps(happened))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
