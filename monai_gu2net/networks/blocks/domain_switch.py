# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What belongs to a domain: one module per domain, of which one runs."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class DomainModule(nn.Module):
    """A module that holds parts of several domains and can be cut down to one."""

    def keep_only(self, domain: int) -> None:
        """Drop the parts of all domains but one, which is domain 0 from then on. For evaluation only.

        Args:
            domain: index of the domain to keep, in [0, number of domains).
        """
        for child in self.children():
            keep_only(child, domain)


def keep_only(module: nn.Module, domain: int) -> None:
    """Cut every :class:`DomainModule` in ``module`` down to one domain, in place."""
    if isinstance(module, DomainModule):
        module.keep_only(domain)
    else:
        for child in module.children():
            keep_only(child, domain)


class DomainSwitch(DomainModule):
    """One module per domain; a forward pass runs the module of one domain and leaves the others alone.

    A domain that had no batch gets no gradient (``None``) and its running statistics stay as they were.

    Args:
        modules: one module per domain, in the order of the domains.

    Example:
        >>> import torch
        >>> switch = DomainSwitch([nn.Identity(), nn.Flatten()])
        >>> switch(torch.zeros(1, 2, 3), 1).shape
        torch.Size([1, 6])
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__()
        self.domains = nn.ModuleList(modules)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """Run the module of ``domain``, an index in [0, number of domains)."""
        # TorchScript indexes a ModuleList by constants only, so the module is found by comparison.
        for index, module in enumerate(self.domains):
            if index == domain:
                x = module(x)
        return x

    def keep_only(self, domain: int) -> None:
        self.domains = nn.ModuleList([self.domains[domain]])
