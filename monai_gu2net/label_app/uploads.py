# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Images that a client sends instead of naming one of the datastore: with a request, or for a session."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, HTTPException, UploadFile
from fastapi.background import BackgroundTasks
from monailabel.config import settings
from monailabel.endpoints.infer import ResultType, run_inference
from monailabel.endpoints.user.auth import RBAC
from monailabel.interfaces.utils.app import app_instance
from monailabel.utils.sessions import SessionInfo, Sessions

__all__ = ["ConfinedSessions", "router"]

_SESSION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_user = Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_USER))
router = APIRouter(prefix="/infer", tags=["Infer"])


class ConfinedSessions(Sessions):
    """MONAI Label's sessions, whose identifiers and images do not lead out of their folder.

    MONAI Label joins what a client gives for an identifier to the folder, takes the image that it finds noted there,
    and removes the folder where the image is gone.
    """

    def get_session(self, session_id: str, update_ts: bool = True, fetch_cache: bool = True) -> SessionInfo | None:
        """The session; None: there is none of that identifier."""
        if not _SESSION.fullmatch(session_id):
            return None
        found = super().get_session(session_id, update_ts, fetch_cache)
        own = Path(self.store_path, session_id).resolve()
        return found if found is not None and Path(found.image).resolve().is_relative_to(own) else None

    def remove_session(self, session_id: str) -> None:
        """Remove the session and its files."""
        if _SESSION.fullmatch(session_id):
            super().remove_session(session_id)

    def add_session(
        self, data_file: str, expiry: int = 0, uncompress: bool = False, session_id: str | None = None
    ) -> tuple[str, SessionInfo]:
        """Take an image in; archives, whose entries may lead anywhere, are not taken."""
        if uncompress:
            raise HTTPException(422, "A session must hold an image; archives are not unpacked. Send the image itself.")
        added: tuple[str, SessionInfo] = super().add_session(data_file, expiry, False, session_id)
        return added


@router.post("/{model}", summary="Run Inference for supported model", dependencies=[_user])
async def infer(
    background_tasks: BackgroundTasks,
    model: str,
    image: str = "",
    session_id: str = "",
    params: str = Form("{}"),
    file: Annotated[UploadFile | None, File()] = None,
    label: Annotated[UploadFile | None, File()] = None,
    output: ResultType | None = None,
) -> Any:
    """MONAI Label's inference, whose images are those of the datastore, of a session, or sent with the request."""
    if not isinstance(json.loads(params or "{}"), dict):
        raise HTTPException(422, f"params must be an object of JSON; got {params[:100]!r}. Correct it.")
    if file is None:
        return run_inference(background_tasks, model, image, session_id, params, None, label, output)
    uploads = app_instance().uploads
    endings = "".join(PurePosixPath(file.filename or "image.nii.gz").suffixes)
    with tempfile.NamedTemporaryFile(dir=uploads, suffix=endings) as copy:
        shutil.copyfileobj(file.file, copy)
        copy.flush()
        return run_inference(background_tasks, model, copy.name, session_id, params, None, label, output)
