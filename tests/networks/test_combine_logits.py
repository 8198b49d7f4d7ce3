# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from decimal import Decimal, localcontext

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from monai_gu2net.networks.nets import combine_logits

logits = st.floats(-150, 150, width=32)


def exact(a: float, b: float) -> tuple[float, float]:
    """The logit of the product and its derivative by a, with a hundred digits."""
    with localcontext() as context:
        context.prec = 150
        one = Decimal(1)
        p, q = one / (one + (-Decimal(a)).exp()), one / (one + (-Decimal(b)).exp())
        return float((p * q / (one - p * q)).ln()), float((one - p) / (one - p * q))


def test_two_even_odds_make_one_in_four() -> None:
    combined = combine_logits(torch.zeros(1), torch.zeros(1))
    assert combined.sigmoid().item() == pytest.approx(0.25, abs=1e-7)


@given(a=st.floats(-15, 15, width=32), b=st.floats(-15, 15, width=32))
def test_its_sigmoid_is_the_product_of_the_sigmoids(a: float, b: float) -> None:
    x, y = torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)
    torch.testing.assert_close(combine_logits(x, y).sigmoid(), x.sigmoid() * y.sigmoid(), rtol=1e-8, atol=0)


@given(a=logits, b=logits)
def test_logits_far_out_keep_value_and_gradient_in_float32(a: float, b: float) -> None:
    x = torch.tensor(a, requires_grad=True)
    z = combine_logits(x, torch.tensor(b))
    z.backward()
    value, derivative = exact(a, b)
    assert z.item() == pytest.approx(value, abs=1e-6, rel=2e-7)
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(derivative, abs=1e-6, rel=1e-4)


@pytest.mark.parametrize("far", [20.0, 100.0])
def test_saturated_heatmaps_still_learn_half_each(far: float) -> None:
    a, b = (torch.tensor(far, requires_grad=True) for _ in range(2))
    z = combine_logits(a, b)
    z.backward()
    assert z.item() == pytest.approx(far - np.log(2), abs=1e-5)
    assert (a.grad.item(), b.grad.item()) == pytest.approx((0.5, 0.5), abs=1e-5)


def test_the_gradient_is_the_numerical_one() -> None:
    a, b = (torch.randn(3, 4, dtype=torch.float64).mul(10).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(combine_logits, (a, b))


def test_half_precision_is_combined_in_float32() -> None:
    a, b = torch.tensor([30.0], dtype=torch.bfloat16), torch.tensor([2.0], dtype=torch.bfloat16)
    combined = combine_logits(a, b)
    assert combined.dtype == torch.float32
    assert combined.item() == pytest.approx(2.0, abs=1e-6)
