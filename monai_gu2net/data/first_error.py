# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Why a case failed, in the words that were said first."""

from __future__ import annotations

__all__ = ["first_error", "reason_of"]

_WRAPPED = ("applying transform", "Failed to instantiate component", "Failed to evaluate")  # MONAI 1.6


def first_error(error: BaseException) -> BaseException:
    """The error that was raised first.

    MONAI's Compose, ConfigParser and ``instantiate`` wrap whatever is raised below them in a RuntimeError of their own.
    """
    while error.__cause__ is not None and str(error).startswith(_WRAPPED):
        error = error.__cause__
    return error


def reason_of(error: BaseException) -> str:
    """What was said first; an error that is not in our words is named by its kind too."""
    error = first_error(error)
    if isinstance(error, (OSError, ValueError, ImportError)) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
