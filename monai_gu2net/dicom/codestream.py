# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The size that a compressed picture declares for itself."""

from __future__ import annotations

import struct

__all__ = ["codestream_size"]

_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})  # SOF0 to SOF15, and JPEG-LS's SOF55
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns by the header of a JPEG, JPEG-LS or JPEG 2000 codestream, without decoding it.

    Args:
        data: one frame.

    Returns:
        (rows, columns), or None where no such header is found.

    Source: ISO/IEC 10918-1, B.2.2 (frame header); 14495-1, C.2.2; 15444-1, A.5.1 (SIZ).
    """
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    start = data[:4096].find(b"\xff\x4f\xff\x51")  # after a JP2 header, where there is one
    if start < 0 or len(data) < start + 24:
        return None
    width, height, left, top = struct.unpack_from(">4I", data, start + 8)
    return height - top, width - left


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _ALONE:
            position += 2
        elif marker in _FRAME_MARKERS:
            if len(data) < position + 9:
                return None
            rows, columns = struct.unpack_from(">HH", data, position + 5)
            return rows, columns
        else:
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    return None
