# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from monai_gu2net.data import DomainBatchSampler


def domains_of(sizes: dict[str, int]) -> list[str]:
    """Names in turn, so that a domain's indices are not one block."""
    left = dict(sizes)
    names = []
    while any(left.values()):
        for name in left:
            if left[name]:
                left[name] -= 1
                names.append(name)
    return names


def batches_by_domain(domains: list[str], batches: list[list[int]]) -> Counter[str]:
    return Counter(domains[batch[0]] for batch in batches)


sizes_of_domains = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 30), min_size=1)


@settings(max_examples=25)
@given(
    sizes=sizes_of_domains,
    batch_size=st.integers(1, 7),
    temperature=st.floats(0, 1),
    batches=st.none() | st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_every_batch_is_full_and_of_one_domain(
    sizes: dict[str, int], batch_size: int, temperature: float, batches: int | None, seed: int
) -> None:
    domains = domains_of(sizes)
    sampler = DomainBatchSampler(domains, batch_size=batch_size, temperature=temperature, batches=batches, seed=seed)
    found = list(sampler)
    assert len(found) == len(sampler) == (batches or -(-len(domains) // batch_size))
    assert all(len(batch) == batch_size and len({domains[n] for n in batch}) == 1 for batch in found)
    if len(found) >= len(sizes):
        assert batches_by_domain(domains, found).keys() == sizes.keys()


@settings(max_examples=25)
@given(
    passes=st.dictionaries(st.sampled_from("abcde"), st.integers(1, 9), min_size=1),
    batch_size=st.integers(1, 5),
    replicas=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_an_epoch_shows_each_sample_once_where_the_sizes_divide(
    passes: dict[str, int], batch_size: int, replicas: int, seed: int
) -> None:
    """Over all replicas; none sees what another one does, and a step is of one domain for all."""
    domains = domains_of({name: count * batch_size * replicas for name, count in passes.items()})
    shares = [
        list(DomainBatchSampler(domains, batch_size=batch_size, num_replicas=replicas, rank=rank, seed=seed))
        for rank in range(replicas)
    ]
    assert {len(share) for share in shares} == {sum(passes.values())}
    assert sorted(n for share in shares for batch in share for n in batch) == list(range(len(domains)))
    for step in zip(*shares, strict=True):
        assert len({domains[n] for batch in step for n in batch}) == 1


@settings(max_examples=25)
@given(
    sizes=sizes_of_domains,
    batch_size=st.integers(1, 7),
    replicas=st.integers(1, 4),
    temperature=st.floats(0, 1),
    epoch=st.integers(0, 5),
)
def test_replicas_take_equally_many_steps_on_the_same_domains(
    sizes: dict[str, int], batch_size: int, replicas: int, temperature: float, epoch: int
) -> None:
    domains = domains_of(sizes)
    samplers = [
        DomainBatchSampler(domains, batch_size=batch_size, temperature=temperature, num_replicas=replicas, rank=rank)
        for rank in range(replicas)
    ]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    shares = [list(sampler) for sampler in samplers]
    assert [len(share) for share in shares] == [len(samplers[0])] * replicas
    for step in zip(*shares, strict=True):
        assert len({domains[n] for batch in step for n in batch}) == 1


# sizes 64, 16, 4: with 1/2 the roots 8, 4, 2
@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (1.0, {"a": 64, "b": 16, "c": 4}),
        (0.5, {"a": 48, "b": 24, "c": 12}),
        (0.0, {"a": 28, "b": 28, "c": 28}),
    ],
)
def test_the_temperature_tempers_the_shares(temperature: float, expected: dict[str, int]) -> None:
    domains = domains_of({"a": 64, "b": 16, "c": 4})
    sampler = DomainBatchSampler(domains, batch_size=1, temperature=temperature)
    assert batches_by_domain(domains, list(sampler)) == expected


def test_shares_go_before_the_temperature() -> None:
    domains = domains_of({"a": 64, "b": 16})
    sampler = DomainBatchSampler(domains, batch_size=2, batches=40, temperature=0.0, shares={"b": 3, "a": 1})
    assert batches_by_domain(domains, list(sampler)) == {"a": 10, "b": 30}


def test_a_domain_drawn_beyond_its_size_is_gone_through_again_evenly() -> None:
    domains = domains_of({"a": 10, "b": 5})
    sampler = DomainBatchSampler(domains, batch_size=5, batches=8, temperature=0.0)
    seen = Counter(n for batch in sampler for n in batch)
    assert {seen[n] for n, name in enumerate(domains) if name == "b"} == {4}
    assert {seen[n] for n, name in enumerate(domains) if name == "a"} == {2}


def test_a_small_domain_is_not_left_out_of_an_epoch() -> None:
    domains = domains_of({"a": 1000, "b": 1})
    found = batches_by_domain(domains, list(DomainBatchSampler(domains, batch_size=10)))
    assert found == {"a": 100, "b": 1}


def test_the_domains_are_mixed_over_the_epoch() -> None:
    domains = domains_of({"a": 40, "b": 40})
    order = [domains[batch[0]] for batch in DomainBatchSampler(domains, batch_size=2)]
    assert sum(a != b for a, b in itertools.pairwise(order)) >= 8


def test_the_seed_and_the_epoch_decide_all_draws() -> None:
    domains = domains_of({"a": 20, "b": 10})

    def sampler(seed: int = 5) -> DomainBatchSampler:
        return DomainBatchSampler(domains, batch_size=2, seed=seed)

    one, other = sampler(), sampler()
    first, second = list(one), list(one)
    assert first == list(other)
    assert second == list(other)
    assert first != second
    assert list(sampler(6)) != first
    other.set_epoch(0)
    assert list(other) == first


def test_a_resumed_sampler_goes_on_as_the_first_would_have() -> None:
    domains = domains_of({"a": 20, "b": 10})
    one = DomainBatchSampler(domains, batch_size=2, seed=3)
    list(one)
    list(one)
    state = one.state_dict()
    assert state == {"epoch": 2}
    resumed = DomainBatchSampler(domains, batch_size=2, seed=3)
    resumed.load_state_dict(state)
    assert [list(resumed), list(resumed)] == [list(one), list(one)]


def test_a_data_loader_takes_it_as_batch_sampler() -> None:
    domains = domains_of({"a": 4, "b": 2})
    sampler = DomainBatchSampler(domains, batch_size=2)
    loader = DataLoader(domains, batch_sampler=sampler)
    assert sorted(map(tuple, loader)) == [("a", "a"), ("a", "a"), ("b", "b")]
    assert len(loader) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domains": []}, "domains must hold one name per sample; got none"),
        ({"batch_size": 0}, "batch_size and batches must be at least 1; got 0 and None"),
        ({"batches": 0}, "batch_size and batches must be at least 1; got 2 and 0"),
        ({"temperature": 1.1}, r"temperature must lie between 0 and 1; got 1\.1"),
        ({"temperature": float("nan")}, "temperature must lie between 0 and 1; got nan"),
        ({"num_replicas": 2, "rank": 2}, "rank must lie between 0 and 1; got 2"),
        ({"rank": -1}, "rank must lie between 0 and 0; got -1"),
        ({"shares": {"a": 1}}, r"shares must be positive for each of \['a', 'b'\]; got \{'a': 1\}"),
        ({"shares": {"a": 1, "b": 0}}, "shares must be positive"),
        ({"shares": {"a": 1, "b": 1, "c": 1}}, "shares must be positive for each"),
    ],
)
def test_a_broken_argument_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DomainBatchSampler(**({"domains": ["a", "b"], "batch_size": 2} | change))


@pytest.mark.parametrize("batches", [1, 2])
def test_with_fewer_batches_than_domains_every_domain_gets_its_share_over_epochs(batches: int) -> None:
    """Shares 0.9, 0.09 and 0.01 of the batches of 500 epochs."""
    domains = domains_of({"a": 90, "b": 9, "c": 1})
    sampler = DomainBatchSampler(domains, batch_size=1, batches=batches)
    found = sum((batches_by_domain(domains, list(sampler)) for _ in range(500)), Counter[str]())
    for name, share in {"a": 0.9, "b": 0.09, "c": 0.01}.items():
        assert abs(found[name] - share * 500 * batches) <= 1


def test_a_share_of_two_and_a_half_batches_is_two_and_three_in_turn() -> None:
    domains = domains_of({"a": 5, "b": 5})
    sampler = DomainBatchSampler(domains, batch_size=1, batches=5)
    counts = [batches_by_domain(domains, list(sampler)) for _ in range(4)]
    assert sorted((count["a"], count["b"]) for count in counts) == [(2, 3), (2, 3), (3, 2), (3, 2)]


@settings(max_examples=25)
@given(sizes=sizes_of_domains, batches=st.integers(1, 9), temperature=st.floats(0, 1))
def test_no_domain_is_ever_a_batch_or_more_from_its_share(
    sizes: dict[str, int], batches: int, temperature: float
) -> None:
    domains = domains_of(sizes)
    weights = {name: size**temperature for name, size in sizes.items()}
    shares = {name: batches * weight / sum(weights.values()) for name, weight in weights.items()}
    sampler = DomainBatchSampler(domains, batch_size=1, batches=batches, temperature=temperature)
    seen: Counter[str] = Counter()
    for epoch in range(1, 13):
        found = batches_by_domain(domains, list(sampler))
        seen += found
        if batches >= len(sizes):
            assert set(found) == set(sizes)
        if batches < len(sizes) or min(shares.values()) >= 1:
            assert all(abs(seen[name] - share * epoch) < 1 + 1e-6 for name, share in shares.items())


def test_what_is_owed_is_the_same_on_every_process_and_after_a_restart() -> None:
    domains = domains_of({"a": 40, "b": 3, "c": 2})
    ranks = [DomainBatchSampler(domains, batch_size=1, batches=4, num_replicas=2, rank=rank) for rank in range(2)]
    first, second = ([[domains[batch[0]] for batch in rank] for _ in range(20)] for rank in ranks)
    assert first == second
    resumed = DomainBatchSampler(domains, batch_size=1, batches=4, num_replicas=2, rank=0)
    resumed.load_state_dict({"epoch": 13})
    assert [[domains[batch[0]] for batch in resumed] for _ in range(7)] == first[13:]


def test_replicas_see_together_what_one_with_their_batches_sees() -> None:
    domains = domains_of({"a": 9, "b": 4})
    for batches in (None, 5):
        whole = list(DomainBatchSampler(domains, batch_size=4, batches=batches, seed=3))
        ranks = [
            list(DomainBatchSampler(domains, batch_size=2, batches=batches, seed=3, num_replicas=2, rank=rank))
            for rank in range(2)
        ]
        assert [first + second for first, second in zip(*ranks, strict=True)] == whole
        assert len(whole) == (4 if batches is None else batches)  # 13 samples, 4 a step
