# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer OHIF and the DICOMweb of an archive at one address, as a hospital's proxy joins them."""

from __future__ import annotations

import base64
import http.client
import json
import mimetypes
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_SETTINGS = {
    "routerBasename": "/",
    "extensions": [],
    "modes": [],
    "customizationService": {},
    "showStudyList": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "archive",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "archive",
            "configuration": {
                "friendlyName": "Orthanc",
                "name": "archive",
                "qidoRoot": "/dicom-web",
                "wadoRoot": "/dicom-web",
                "wadoUriRoot": "/dicom-web",
                "qidoSupportsIncludeField": False,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "supportsWildcard": True,
                "omitQuotationForMultipartRequest": True,
                "bulkDataURI": {"enabled": True},
            },
        }
    ],
}
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}


class OhifServer(ThreadingHTTPServer):
    """Serves a folder of built files; what begins with ``/dicom-web`` comes from the archive.

    Args:
        folder: ``dist`` of the npm package ``@ohif/app``.
        port: to listen at, on the loopback.
        archive: port of the archive's HTTP.
        password: ``user:password`` there.
    """

    daemon_threads = True

    def __init__(self, folder: Path, *, port: int, archive: int, password: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder, self.archive = folder.resolve(), archive
        self.password = base64.b64encode(password.encode()).decode()


class _Handler(BaseHTTPRequestHandler):
    server: OhifServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/dicom-web"):
            self._forward()
        elif path == "/app-config.js":
            self._answer(200, {"Content-Type": _TYPES[".js"]}, f"window.config = {json.dumps(_SETTINGS)};".encode())
        else:
            file = (self.server.folder / path.lstrip("/")).resolve()
            if not file.is_relative_to(self.server.folder) or not file.is_file():
                file = self.server.folder / "index.html"  # the page finds its way by the address
            kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            isolated = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
            self._answer(200, {"Content-Type": kind, "Cache-Control": "max-age=3600"} | isolated, file.read_bytes())

    def do_POST(self) -> None:
        self._forward()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: self.headers[name] for name in ("Accept", "Content-Type") if self.headers[name]}
        headers |= {"Authorization": f"Basic {self.server.password}", "Host": str(self.headers["Host"])}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.archive, timeout=60)
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        self._answer(answer.status, {"Content-Type": answer.headers.get("Content-Type", "")}, answer.read())
        connection.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        pass
