# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The annotation page in the browser, and the images that it shows.

The page is files of this package; everything else that it does goes through MONAI Label's own REST interface.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import FileResponse, Response
from monailabel.config import settings
from monailabel.endpoints.user.auth import RBAC
from monailabel.interfaces.utils.app import app_instance

from monai_gu2net.files import Stamps, stamps_of
from monai_gu2net.label_app.label_frame import label_frame, read_image
from monai_gu2net.label_app.volume_file import nifti_of
from monai_gu2net.label_app.window import default_window, grey_png, shown_range

__all__ = ["image_path", "router"]

_FOLDER = Path(__file__).parent / "page"
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".txt": "text/plain"}
_FILES = {path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.suffix in _TYPES}
_HEADERS = {
    # nothing is loaded from elsewhere; OpenSeadragon sets styles on its elements, NiiVue has its letters as data
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KEPT_IMAGES = 2

_user = Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_USER))
router = APIRouter(prefix="/gu2net", tags=["GU2Net"])


def image_path(image: str) -> Path:
    """The file of an image of the running app's datastore, or its folder with a DICOM series.

    Args:
        image: its id.

    Raises:
        HTTPException: 404, the datastore has no such image.
    """
    uri = app_instance().datastore().get_image_uri(image)
    if not uri or not Path(uri).exists():
        raise HTTPException(404, f"An image must be in the datastore; got {image!r}, which is not. Reload the page.")
    return Path(uri)


@router.get("/", include_in_schema=False)
def show_page() -> Response:
    """The page."""
    return send_file("index.html")


@router.get("/image/{image:path}.json", summary="Size, frames and window of an image", dependencies=[_user])
def describe_image(path: Annotated[Path, Depends(image_path)]) -> dict[str, Any]:
    """What the page must know of an image, without identity.

    Returns:
        ``size`` in pixels, width first, of two or three axes; ``spacing``, mm per pixel along each, or None, with
        ``spacing_source``; ``affine`` (4, 4), pixels to the image's own world (of a volume RAS);
        ``label_affine`` (4, 4), pixels to where labels lie, in ``label_unit``, "mm" or "px";
        ``window`` [black, white] in which it is shown first and ``range``, the values of grey 0 and 255 in the PNG, or
        the lowest and the highest of a volume.
    """
    return _read(path)[1]


@router.get("/image/{image:path}.png", summary="A radiograph in 8 bits of grey", dependencies=[_user])
def draw_image(path: Annotated[Path, Depends(image_path)]) -> Response:
    """The whole image in its own resolution; grey 0 and 255 are the values of the description's ``range``."""
    pixels, about = _read(path)
    if pixels.ndim != 2:
        raise HTTPException(422, f"{path.name} must have two axes to be drawn; got a volume. Ask for its .nii.")
    content = grey_png(pixels, about["range"])
    return Response(content, media_type="image/png", headers=_HEADERS | {"Cache-Control": "no-store"})


@router.get("/image/{image:path}.nii", summary="A volume as NIfTI, whatever its file is", dependencies=[_user])
def send_volume(path: Annotated[Path, Depends(image_path)]) -> Response:
    """The voxels in the order and with the affine of the file, and nothing else of it."""
    pixels, about = _read(path)
    if pixels.ndim != 3:
        raise HTTPException(422, f"{path.name} must be a volume; got a radiograph. Ask for its .png.")
    content = nifti_of(pixels, about["affine"])
    return Response(content, media_type="application/octet-stream", headers=_HEADERS | {"Cache-Control": "no-store"})


@router.get("/{name:path}", include_in_schema=False)
def send_file(name: str) -> Response:
    """A file of the page."""
    if name not in _FILES:
        raise HTTPException(404, f"A file of the page must be among {sorted(_FILES)}; got {name!r}.")
    path = _FILES[name]
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_HEADERS | {"Cache-Control": "no-cache"})


def _read(path: Path) -> tuple[Any, dict[str, Any]]:
    """Pixels and the description of an image; 422 where it cannot be shown."""
    try:
        return _read_once(path, stamps_of(path))
    except (OSError, ValueError) as error:
        raise HTTPException(422, str(error).replace(str(path), path.name)) from None


@lru_cache(maxsize=_KEPT_IMAGES)
def _read_once(path: Path, stamps: Stamps) -> tuple[Any, dict[str, Any]]:
    """As :func:`_read`; the last images are kept as long as their files do not change."""
    pixels, _ = read_image(path)
    frame = label_frame(path)
    window = default_window(path, pixels)
    spacing = np.linalg.norm(frame.image_affine[:3, : frame.dims], axis=0)
    return pixels, {
        "size": list(frame.size),
        "spacing": spacing.tolist() if frame.image_unit == "mm" else None,
        "spacing_source": frame.image_source,
        "affine": frame.image_affine.tolist(),
        "label_affine": frame.affine.tolist(),
        "label_unit": frame.unit,
        "window": window,
        "range": shown_range(window, pixels) if frame.dims == 2 else (float(pixels.min()), float(pixels.max())),
    }
