# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Settings that are one for all domains, or one for each by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["as_setting", "of_domains"]


def of_domains(what: str, value: Any, names: Sequence[str], default: Any) -> list[Any]:
    """A setting of each domain in turn.

    Args:
        what: its name, for the error.
        value: one for all domains, or those of domains by name.
        names: of the domains.
        default: of the domains that ``value`` does not name.

    Raises:
        ValueError: it names what is no domain.

    Example:
        >>> of_domains("downsample", {"spine": 8}, ["head", "spine"], 4)
        [4, 8]
    """
    if not isinstance(value, Mapping):
        return [value] * len(names)
    unknown = [name for name in value if name not in names]
    if unknown:
        raise ValueError(
            f"{what} must be one for all, or by name of the domains {list(names)}; got it for {unknown}. "
            "Correct the names."
        )
    return [value.get(name, default) for name in names]


def as_setting(values: Sequence[Any], names: Sequence[str]) -> Any:
    """The converse of :func:`of_domains`: one for all where the domains do not differ, else by name.

    Example:
        >>> as_setting([4, 8], ["head", "spine"])
        {'head': 4, 'spine': 8}
    """
    return values[0] if all(value == values[0] for value in values) else dict(zip(names, values, strict=True))
