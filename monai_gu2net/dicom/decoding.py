# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which codec decodes which transfer syntax."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codestream import codestream_size
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.silence import silent_pydicom

__all__ = ["CODECS", "decode_frame"]

_NATIVE = (str(uid.ImplicitVRLittleEndian), str(uid.ExplicitVRLittleEndian), str(uid.ExplicitVRBigEndian))
_RLE = str(uid.RLELossless)
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"

# Plugins of pydicom 3, best first. Left out: pyjpegls, which aborts the process at a stream that claims a huge size;
# pylibjpeg-libjpeg, which is GPL-3; pylibjpeg-rle, whose panics `except Exception` does not catch.
CODECS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_NATIVE, ("",)),
    _RLE: ("pydicom",),
    "1.2.840.10008.1.2.4.50": ("gdcm", "pillow"),  # JPEG baseline, 8 bits
    _JPEG_EXTENDED: ("gdcm", "pillow"),
    "1.2.840.10008.1.2.4.57": ("gdcm",),  # JPEG lossless
    "1.2.840.10008.1.2.4.70": ("gdcm",),  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": ("gdcm",),  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81": ("gdcm",),  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90": ("pylibjpeg", "gdcm"),  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91": ("pylibjpeg", "gdcm"),  # JPEG 2000
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),  # HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),  # HTJ2K
}


def decode_frame(image: Dataset, *, index: int, shape: tuple[int, ...], name: str) -> np.ndarray:
    """One frame as its pixels are allocated, YBR turned to RGB.

    The bits of grey pixels beyond BitsStored are left as they are, since pydicom 2 never masks them, and pydicom 3 does
    so of some codecs: :func:`~monai_gu2net.dicom.pixels.read_pixels` masks them of all.

    Args:
        image: a dataset whose ``file_meta`` has the transfer syntax.
        index: which frame, the first is 0.
        shape: (H, W) or (H, W, 3), as the header declares it.
        name: the file's name, for errors.

    Raises:
        DicomError: there is no codec for the transfer syntax, or the frame is broken or of another size.
    """
    syntax = str(image.file_meta.TransferSyntaxUID)
    if syntax not in CODECS:
        raise DicomError(
            f"{name}: its transfer syntax must be one for still images; got {_label(syntax)}. Export it uncompressed."
        )
    try:
        with silent_pydicom():
            array = _decode(image, syntax, index, shape, name)
    except (DicomError, MemoryError):
        raise
    except Exception as error:  # codecs raise what they like; their messages may quote values
        raise DicomError(
            f"{name}: its pixel data must decode as {_label(syntax)}; decoding ended in {type(error).__name__}. "
            "Export it again."
        ) from None
    if array.shape != shape or array.dtype.kind not in "iu":
        raise DicomError(
            f"{name}: decoded pixels must be of the header's size {shape}; got {array.shape}. Export it again."
        )
    return array


def _decode(image: Dataset, syntax: str, index: int, shape: tuple[int, ...], name: str) -> np.ndarray:
    try:
        from pydicom.pixels import get_decoder
    except ImportError:  # pydicom 2
        return _decode_with_pydicom_2(image, syntax, index, name)
    decoder = get_decoder(syntax)
    options: Any = {"correct_unused_bits": len(shape) == 3}
    if syntax in _NATIVE:
        return decoder.as_array(image, index=index, **options)[0]
    plugin = next((plugin for plugin in CODECS[syntax] if plugin in decoder.available_plugins), None)
    if plugin is None:
        raise _no_codec(syntax, name)
    if syntax != _RLE:
        data = _checked_codestream(image, index, shape, name)
        if syntax == _JPEG_EXTENDED and plugin == "gdcm" and image.BitsStored > 8:
            return _decode_twelve_bits(image, data, shape)
    return decoder.as_array(image, index=index, decoding_plugin=plugin, **options)[0]


def _decode_with_pydicom_2(image: Dataset, syntax: str, index: int, name: str) -> np.ndarray:
    """Uncompressed and RLE images, which pydicom 2 decodes by itself."""
    if syntax not in (*_NATIVE, _RLE):
        raise _no_codec(syntax, name)
    handlers: Any
    from pydicom.pixel_data_handlers import numpy_handler, rle_handler, util

    handlers = rle_handler if syntax == _RLE else numpy_handler
    array = util.reshape_pixel_array(image, handlers.get_pixeldata(image))
    if int(image.get("NumberOfFrames") or 1) > 1:
        array = array[index]
    if array.ndim == 3:
        array = array & array.dtype.type(2 ** int(image.BitsStored) - 1)
        if str(image.PhotometricInterpretation).startswith("YBR_FULL"):
            array = util.convert_color_space(array, "YBR_FULL", "RGB")
    return np.asarray(array)


def _decode_twelve_bits(image: Dataset, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """JPEG extended with 12 bits, which pydicom 3.0 does not ask of GDCM, though GDCM 3.2 decodes it."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    picture = gdcm.Image()
    picture.SetNumberOfDimensions(2)
    picture.SetDimensions((shape[1], shape[0], 1))
    picture.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(str(image.PhotometricInterpretation))
    picture.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    picture.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(_JPEG_EXTENDED)))
    bits = int(image.BitsStored)
    signed = int(image.PixelRepresentation)
    picture.SetPixelFormat(gdcm.PixelFormat(1, 16, bits, bits - 1, signed))
    decoded = picture.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(decoded, dtype="<i2" if signed else "<u2").reshape(shape)


def _checked_codestream(image: Dataset, index: int, shape: tuple[int, ...], name: str) -> bytes:
    """One frame as it is compressed; its size is compared before a codec allocates for it."""
    from pydicom.encaps import get_frame

    frames = int(image.get("NumberOfFrames") or 1)
    data = bytes(get_frame(image.PixelData, index, number_of_frames=frames))
    size = codestream_size(data)
    if size != shape[:2]:
        got = "a broken codestream" if size is None else f"{size[0]} x {size[1]}"
        raise DicomError(
            f"{name}: its codestream must be of the header's size, {shape[0]} x {shape[1]}; got {got}. Export it again."
        )
    return data


def _no_codec(syntax: str, name: str) -> DicomError:
    return DicomError(
        f"{name}: its transfer syntax must be one that an installed codec decodes; got {_label(syntax)}. "
        'Install them: pip install "monai_gu2net[dicom]".'
    )


def _label(syntax: str) -> str:
    """A transfer syntax by name and UID; what is none of the standard's is not repeated."""
    name = uid.UID(syntax).name if syntax in uid.UID_dictionary else ""
    return f"{name} ({syntax})" if name else "one that is not in the standard"
