# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The server: MONAI Label's, with the app, the page, and errors that say what is wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gu2net.connections import RefusedError, UnreachableError
from monai_gu2net.connections.loopback import is_loopback
from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.volume import VOLUMES
from monai_gu2net.files import write_text_whole
from monai_gu2net.label_app.labels import LabelRefusedError
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION

__all__ = ["app_folder", "check_installed", "prepare_app", "run_server"]

_MAIN = '''"""The app that MONAI Label loads; made by `python -m monai_gu2net label`."""

from monai_gu2net.label_app.app import LandmarkApp

__all__ = ["LandmarkApp"]
'''
_log = logging.getLogger(__name__)
_ENDINGS = (*PICTURES, ".dcm", *VOLUMES)


def check_installed() -> None:
    """Complain where MONAI Label is absent.

    Raises:
        ImportError: it is; the message names the extra.
    """
    if importlib.util.find_spec("monailabel") is None:
        raise ImportError(
            'The command label must have the package monailabel; it is absent. Run: pip install "monai_gu2net[label]", '
            "in an environment of its own."
        )


def app_folder(studies: str) -> Path:
    """Where the app of a folder of images, or of a DICOMweb server, keeps its weights unless one is given."""
    if studies.startswith(("http://", "https://")):
        name = hashlib.sha256(studies.rstrip("/").encode()).hexdigest()[:16]
        return Path.home() / ".cache" / "monai_gu2net" / "label_app" / name
    return Path(studies) / "gu2net_app"


def prepare_app(folder: Path, checkpoint: Path | None) -> Path:
    """Make or go on with the app's folder.

    Args:
        folder: of the app.
        checkpoint: the weights to start with, see :meth:`AppWeights.start`.

    Returns:
        The folder, absolute.
    """
    folder = folder.resolve()
    AppWeights(folder / "model").start(checkpoint)
    write_text_whole(folder / "main.py", _MAIN)
    return folder


def _settings(studies: str, folder: Path, port: int, conf: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that MONAI Label is to have: nothing is downloaded and nothing reported."""
    by_default = {  # what the user has set stays
        "MONAI_LABEL_DATASTORE_FILE_EXT": json.dumps([f"*{ending}" for ending in (*_ENDINGS, MARKUPS_EXTENSION)]),
        "MONAI_LABEL_TRACKING_ENABLED": "false",
        "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",
        "MONAI_LABEL_SESSION_PATH": str(folder / "sessions"),
        "MONAI_LABEL_DICOMWEB_SEARCH_FILTER": json.dumps({"Modality": "CR,DX"}),
        "PYTHONPATH": "",  # MONAI Label asks for it
    }
    return {**by_default, **os.environ} | {
        "MONAI_LABEL_APP_DIR": str(folder),
        "MONAI_LABEL_STUDIES": studies,
        "MONAI_LABEL_APP_CONF": json.dumps(dict(conf)),
        "MONAI_LABEL_SERVER_PORT": str(port),
    }


def run_server(
    studies: str,
    folder: Path,
    *,
    host: str,
    port: int,
    conf: Mapping[str, str],
    names: Sequence[str] = (),
    log_level: str = "warning",
) -> None:
    """Serve until interrupted.

    Args:
        studies: a folder, which must be there, or a DICOMweb address.
        folder: of the app, as :func:`prepare_app` made it.
        host: to listen at; there is a warning where others than this machine can reach it.
        port: to listen at.
        conf: see :class:`~monai_gu2net.label_app.app.LandmarkApp`.
        names: that the server has beside ``host``, see :class:`~monai_gu2net.label_app.guard.OwnPagesOnly`.
        log_level: of MONAI Label's own messages, which hold the images' names; this package's are shown in any case.
    """
    os.environ.update(_settings(studies, folder, port, conf))
    # MONAI Label reads its settings from the environment when it is imported; the processes that it starts do so too
    import uvicorn
    from monailabel.config import settings

    from monai_gu2net.label_app.guard import OwnPagesOnly

    # Scripts of other sites are not to read from here. Not by the environment: the processes would fail to print it.
    origins = [str(origin) for origin in settings.MONAI_LABEL_CORS_ORIGINS]
    settings.MONAI_LABEL_CORS_ORIGINS = settings.MONAI_LABEL_CORS_ORIGINS or [f"http://127.0.0.1:{port}"]
    logging.getLogger("monai_gu2net").setLevel(logging.INFO)
    logging.getLogger("monailabel").setLevel(log_level.upper())
    logging.getLogger("timeloop").disabled = True  # of the clean-up of sessions; it logs each message twice
    if not is_loopback(host):
        _log.warning(
            "The server has no password and no TLS: everybody who reaches %s can read the images, and change labels "
            "and weights. Listen at 127.0.0.1, or put a proxy that asks for a password in front",
            host,
        )
    application = OwnPagesOnly(_served(), host=host, names=names, origins=origins)
    uvicorn.run(application, host=host, port=port, log_config=None, log_level=log_level, access_log=False)


def _served() -> Any:
    """MONAI Label's application, with the page and with answers to errors."""
    from fastapi import Request
    from fastapi.responses import JSONResponse
    from monailabel.app import app
    from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException, MONAILabelException
    from starlette.routing import Route

    from monai_gu2net.label_app.annotation_page import router
    from monai_gu2net.label_app.infer import words_of
    from monai_gu2net.label_app.uploads import router as uploads

    def answer_with(status: int, words: Callable[[Any], str] = words_of) -> Callable[[Request, Any], JSONResponse]:
        return lambda request, error: JSONResponse({"detail": words(error)}, status_code=status)

    def weights_stay(request: Request) -> JSONResponse:
        detail = "Weights change by training alone, or with --checkpoint when the server starts."
        return JSONResponse({"detail": detail}, status_code=405)

    handlers = {
        LabelRefusedError: answer_with(422),
        json.JSONDecodeError: answer_with(422, "The request must hold JSON; got {}. Correct it.".format),
        ImageNotFoundException: answer_with(404),
        LabelNotFoundException: answer_with(404),
        MONAILabelException: answer_with(400),
        UnreachableError: answer_with(502),
        RefusedError: answer_with(502),
    }
    app.include_router(router)
    # before MONAI Label's own of the same paths; its /model writes whatever it is sent over the weights
    app.router.routes[:0] = [Route("/model/{model}", weights_stay, methods=["PUT", "DELETE"]), *uploads.routes]
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
    return app
