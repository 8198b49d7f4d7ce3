# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What each process of a run gets: batches of one domain each, mixed anew every epoch, and cases to validate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Sampler

__all__ = ["DomainBatchSampler", "cases_of_replica"]


class DomainBatchSampler(Sampler[list[int]]):
    """Draws batches whose samples all belong to one domain, and mixes the domains.

    A domain has its own convolutions and number of landmarks, so a batch cannot mix them. In an epoch every
    domain gets a number of batches proportional to ``size ** temperature``: with 1 each sample is seen once,
    with 0 all domains are seen equally often. Larger shares than a domain's size go through it again,
    shuffled anew.

    What a share falls short of a whole number of batches is made up for in later epochs, so that over epochs every
    domain gets its share, also where an epoch has fewer batches than there are domains. Where it has as many or more,
    every epoch has a batch of every domain, and the others share what is left.

    Args:
        domains: the domain of each sample of the dataset.
        batch_size: samples in a batch; the last batch of a pass through a domain is filled from its next
            pass.
        batches: batches in an epoch of each replica; by default as many as it takes all of them to see as many
            samples as the dataset has.
        temperature: exponent of the domains' sizes, 0 to 1.
        shares: relative number of batches by domain, instead of a temperature; every domain must have one.
        seed: with the epoch, decides all draws.
        num_replicas, rank: processes of a distributed run and this one's number; each gets its own batches,
            all of them equally many, and at every step all replicas work on the same domain.

    Raises:
        ValueError: an argument breaks its rule.

    Example:
        >>> sampler = DomainBatchSampler(["a"] * 4 + ["b"] * 2, batch_size=2)
        >>> sorted(index for batch in sampler for index in batch)
        [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        domains: Sequence[str],
        *,
        batch_size: int,
        batches: int | None = None,
        temperature: float = 1.0,
        shares: Mapping[str, float] | None = None,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        if not domains:
            raise ValueError("domains must hold one name per sample; got none. Is the training split empty?")
        if batch_size < 1 or (batches is not None and batches < 1):
            raise ValueError(f"batch_size and batches must be at least 1; got {batch_size} and {batches}. Raise them.")
        if not 0 <= temperature <= 1:
            raise ValueError(f"temperature must lie between 0 and 1; got {temperature}. Use 1 for proportional.")
        if not 0 <= rank < num_replicas:
            raise ValueError(f"rank must lie between 0 and {num_replicas - 1}; got {rank}. Check the process group.")
        names = sorted(set(domains))
        self._indices = [np.flatnonzero(np.array([d == name for d in domains])) for name in names]
        if shares is None:
            shares = {name: len(own) ** temperature for name, own in zip(names, self._indices, strict=True)}
        elif set(shares) != set(names) or not all(share > 0 for share in shares.values()):
            raise ValueError(f"shares must be positive for each of {names}; got {dict(shares)}. Correct them.")
        self._batch_size, self._seed = batch_size, seed
        self._replicas, self._rank = num_replicas, rank
        self._steps = batches if batches is not None else -(-len(domains) // (batch_size * num_replicas))
        self._quotas = _quotas(np.array([shares[name] for name in names], dtype=float), self._steps)
        self._epoch = 0

    def __len__(self) -> int:
        return self._steps

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches the next iteration draws; iterating moves on to the next one."""
        self._epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """The epoch that comes next."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the epoch that was to come next."""
        self._epoch = state["epoch"]

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self._seed, self._epoch])
        counts = _counts(self._quotas, self._epoch)
        self._epoch += 1
        order = random.permutation(np.repeat(np.arange(len(counts)), counts))
        queues = []
        for indices, steps in zip(self._indices, counts, strict=True):
            need = int(steps) * self._batch_size * self._replicas
            passes = [random.permutation(indices) for _ in range(-(-need // len(indices)))]
            queues.append(iter(np.concatenate(passes)[:need] if passes else []))
        for domain in order:
            step = [[int(next(queues[domain])) for _ in range(self._batch_size)] for _ in range(self._replicas)]
            yield step[self._rank]


def cases_of_replica(cases: Sequence[Mapping[str, Any]], *, num_replicas: int, rank: int) -> list[Mapping[str, Any]]:
    """One process's share of the cases: every one is measured by one process.

    All processes have to validate, for their results are gathered. So one that is left without a case gets the first
    one without its landmarks, of which nothing is measured.

    Args:
        cases: of a datalist, the same for every process.
        num_replicas: processes.
        rank: this one's number.

    Returns:
        At least one case, unless there is none at all.

    Example:
        >>> case = {"case": "a", "landmarks": [[1.0, 2.0]]}
        >>> cases_of_replica([case], num_replicas=2, rank=1)
        [{'case': 'a', 'landmarks': [None]}]
    """
    own = list(cases[rank::num_replicas])
    if own or not cases:
        return own
    return [{**cases[0], "landmarks": [None] * len(cases[0]["landmarks"])}]


def _quotas(shares: np.ndarray, total: int) -> np.ndarray:
    """Fractional numbers of batches that sum to total, none below 1 where total allows."""
    quotas = shares / shares.sum() * total
    least = 1.0 if total >= len(shares) else 0.0
    raised = np.zeros(len(shares), dtype=bool)
    while (quotas[~raised] < least).any():
        raised |= quotas < least
        rest = np.where(raised, 0.0, shares)
        quotas = np.where(raised, least, rest / max(rest.sum(), np.finfo(float).tiny) * (total - least * raised.sum()))
    return quotas


def _counts(quotas: np.ndarray, epoch: int) -> np.ndarray:
    """Whole numbers of batches in an epoch, counted from 0: each quota rounded down or up.

    Up go those that the epochs before and this one owe the most. That follows from the epoch's number alone, so every
    process and every resumed run comes to the same.
    """
    whole = np.floor(quotas + 1e-9).astype(int)
    parts = np.maximum(quotas - whole, 0.0)
    ups = round(float(quotas.sum())) - int(whole.sum())
    given = np.zeros(len(quotas), dtype=int)
    now = np.zeros(len(quotas), dtype=int)
    for past in range(epoch + 1):
        # rounded, so that the last bits of equal debts do not decide
        owed = np.round(parts * (past + 1) - given, 9)
        now[:] = 0
        now[np.argsort(-owed, kind="stable")[:ups]] = 1
        given += now
    return whole + now
