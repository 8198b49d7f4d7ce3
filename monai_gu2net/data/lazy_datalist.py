# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A datalist whose domains are known before its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain

__all__ = ["LazyDatalist"]


class LazyDatalist(Datalist):
    """Cases are made when they are first asked for, so that a network of their domains can be built without them.

    Args:
        name: see :class:`Datalist`.
        domains: see :class:`Datalist`.
        make: gives the datalist, of the same name and domains.
    """

    def __init__(self, name: str, domains: Mapping[str, Domain], make: Callable[[], Datalist]) -> None:
        self.name, self.domains, self._make = name, dict(domains), make

    def __getattr__(self, name: str) -> Any:
        """The cases, and whatever else comes with them; it is a plain datalist from then on."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        made = self._make()
        vars(self).clear()
        vars(self).update(vars(made))
        self.__class__ = Datalist  # type: ignore[assignment]
        return getattr(self, name)
