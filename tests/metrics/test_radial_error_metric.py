# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.engines import SupervisedEvaluator
from monai.handlers import IgniteMetricHandler

from monai_gu2net.metrics import RadialErrorMetric, summarize_errors

NAN = float("nan")
Batch = tuple[list[torch.Tensor], list[torch.Tensor], list[str]]


def batch(domain: str, *errors: list[float]) -> Batch:
    """Samples whose landmarks lie at the given distances from their references; NaN = not annotated."""
    predicted = [torch.tensor([[0.0, value] for value in sample]).nan_to_num() for sample in errors]
    reference = [torch.tensor([[0.0, 0.0 * value] for value in sample]) for sample in errors]
    return predicted, reference, [domain] * len(errors)


def add(metric: RadialErrorMetric, samples: Batch) -> None:
    predicted, reference, domains = samples
    metric(predicted, reference, domain=domains)


def evaluator() -> Engine:
    """An engine that leaves a batch and what it found the way MONAI's evaluators do, one dictionary per sample."""

    def find(engine: Engine, given: Batch) -> list[dict[str, torch.Tensor]]:
        predicted, reference, domains = given
        engine.state.batch = [{"landmarks": r, "domain": d} for r, d in zip(reference, domains, strict=True)]
        return [{"pred_landmarks": points} for points in predicted]

    return Engine(find)


BATCHES = [
    batch("head", [1.0, 2.0, 6.0]),
    batch("hand", [10.0, NAN], [20.0, 30.0]),
    batch("head", [3.0, NAN, NAN]),
]


def test_each_domain_is_measured_apart() -> None:
    engine = evaluator()
    RadialErrorMetric(thresholds=[2.0, 15.0]).attach(engine, "val_mre")
    metrics = engine.run(BATCHES).metrics
    assert metrics["head_mre"] == metrics["head_mre_found"] == 3
    assert metrics["head_median"] == 2.5
    assert metrics["head_std_found"] == pytest.approx(np.std([1, 2, 6, 3]))
    assert metrics["head_count"] == 4
    assert metrics["head_sdr_2"] == 0.5
    assert metrics["hand_mre"] == 20
    assert metrics["hand_sdr_15"] == pytest.approx(1 / 3)
    assert metrics["hand_not_found"] == 0


def test_the_mean_over_domains_weighs_each_domain_the_same() -> None:
    engine = evaluator()
    RadialErrorMetric().attach(engine, "val_mre")
    metrics = engine.run(BATCHES).metrics
    assert metrics["val_mre"] == metrics["mre"] == (3 + 20) / 2


def test_thresholds_may_differ_by_domain() -> None:
    metric = RadialErrorMetric(thresholds={"head": [2.5], "hand": [10]})
    for output in BATCHES:
        add(metric, output)
    rates = {name: value for name, value in metric.compute().items() if "_sdr_" in name}
    assert rates == {"head_sdr_2.5": 0.5, "hand_sdr_10": pytest.approx(1 / 3)}


def test_a_domain_without_thresholds_is_refused() -> None:
    metric = RadialErrorMetric(thresholds={"head": [2.5]})
    add(metric, BATCHES[1])
    with pytest.raises(ValueError, match=r"thresholds must name every domain; got \['head'\]. Add 'hand'"):
        metric.compute()


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry for each sample; got 1, 1 and 2"):
        RadialErrorMetric()([torch.zeros(1, 2)], [torch.zeros(1, 2)], domain=["head", "hand"])


def test_a_domain_without_annotations_is_nan_and_left_out_of_the_mean() -> None:
    metric = RadialErrorMetric(thresholds=[2.0])
    add(metric, batch("head", [4.0]))
    add(metric, batch("hand", [NAN, NAN]))
    values = metric.compute()
    assert np.isnan([values["hand_mre"], values["hand_sdr_2"]]).all()
    assert values["hand_count"] == 0
    assert values["mre"] == 4


def test_nothing_measured_is_nan() -> None:
    metric = RadialErrorMetric()
    assert np.isnan(metric.compute()["mre"])
    add(metric, batch("hand", [NAN, NAN]))
    assert np.isnan(metric.compute()["mre"])


def test_a_missed_landmark_makes_the_mean_infinite() -> None:
    metric = RadialErrorMetric(thresholds=[2.0])
    metric([torch.tensor([[NAN, NAN], [1.0, 0.0]])], [torch.zeros(2, 2)], domain="head")
    values = metric.compute()
    assert values["head_mre"] == values["mre"] == float("inf")
    assert values["head_mre_found"] == 1
    assert values["head_not_found"] == 1
    assert values["head_sdr_2"] == 0.5


def test_each_run_starts_afresh() -> None:
    engine = evaluator()
    RadialErrorMetric().attach(engine, "mre")
    engine.run(BATCHES)
    assert set(engine.run(BATCHES[1:2]).metrics) >= {"mre", "hand_mre"}
    assert engine.state.metrics["mre"] == 20


def test_it_serves_as_the_key_metric_of_a_monai_evaluator() -> None:
    data = [
        {"image": torch.full((2, 1, 2), float(i)), "label": torch.zeros(2, 1, 2), "domain": ["head"] * 2}
        for i in range(3)
    ]
    monai_evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=data,
        network=torch.nn.Identity(),
        key_val_metric={"val_mre": RadialErrorMetric(predicted_key="pred", reference_key="label")},
        metric_cmp_fn=lambda current, best: current < best,
    )
    monai_evaluator.run()
    assert monai_evaluator.state.best_metric == pytest.approx(np.sqrt(2))
    assert monai_evaluator.state.metrics["head_count"] == 6
    assert all(isinstance(value, int | float) for value in monai_evaluator.state.metrics.values())


def test_other_keys_and_a_prefix_keep_two_metrics_apart() -> None:
    sample = {"points": torch.tensor([[3.0, 4.0]]), "pred_points": torch.zeros(1, 2), "kind": "head"}
    engine = Engine(lambda _, output: output)
    RadialErrorMetric(
        predicted_key="pred_points", reference_key="points", domain_key="kind", thresholds=[2.0], prefix="px_"
    ).attach(engine, "val_px")
    metrics = engine.run([[sample]]).metrics
    assert metrics["px_head_mre"] == metrics["val_px"] == 5
    assert "head_mre" not in metrics


def test_a_metric_attached_by_two_names_counts_its_samples_once() -> None:
    engine, metric = evaluator(), RadialErrorMetric()
    metric.attach(engine, "val_mre")
    metric.attach(engine, "again")
    metrics = engine.run(BATCHES).metrics
    assert metrics["head_count"] == 4
    assert metrics["val_mre"] == metrics["again"]


def test_samples_without_a_domain_are_all_of_one() -> None:
    engine = evaluator()
    RadialErrorMetric(domain_key=None, thresholds=[2.0]).attach(engine, "val_mre")
    metrics = engine.run(BATCHES).metrics
    assert metrics["val_mre"] == metrics["all_mre"] == pytest.approx((1 + 2 + 6 + 10 + 20 + 30 + 3) / 7)
    assert metrics["all_sdr_2"] == pytest.approx(2 / 7)


def test_the_metric_pools_landmarks_and_not_samples() -> None:
    """Errors 1, 1, 1 of one sample and 5 of another: pooled 2, averaged by sample 3."""
    reference = torch.zeros(2, 3, 2)
    reference[1, 1:] = NAN
    predicted = torch.tensor([[[1.0, 0.0]] * 3, [[3.0, 4.0]] * 3])
    metric = RadialErrorMetric()
    metric(y_pred=predicted, y=reference)
    assert metric.aggregate().item() == 2


@pytest.mark.parametrize("as_list", [False, True])
def test_the_metric_accumulates_batches_of_different_landmark_counts(as_list: bool) -> None:
    metric = RadialErrorMetric()
    for count in (2, 5):
        predicted, reference = torch.full((1, count, 2), float(count)), torch.zeros(1, count, 2)
        metric(y_pred=list(predicted) if as_list else predicted, y=list(reference) if as_list else reference)
    errors = [2 * np.sqrt(2)] * 2 + [5 * np.sqrt(2)] * 5
    assert metric.aggregate().item() == pytest.approx(np.mean(errors))
    assert metric.compute()["all_sdr_4"] == pytest.approx(2 / 7)


def test_a_list_of_samples_may_mix_landmark_counts() -> None:
    metric = RadialErrorMetric()
    errors = metric(y_pred=[torch.ones(1, 2), torch.zeros(3, 2)], y=[torch.zeros(1, 2), torch.zeros(3, 2)])
    assert isinstance(errors, torch.Tensor)
    np.testing.assert_allclose(errors, [np.sqrt(2), 0, 0, 0], rtol=1e-6)


def test_the_metric_of_nothing_is_nan() -> None:
    metric = RadialErrorMetric()
    assert metric.aggregate().isnan()
    metric(y_pred=torch.zeros(1, 2, 2), y=torch.full((1, 2, 2), NAN))
    assert metric.aggregate().isnan()


def test_the_metric_forgets_when_it_is_reset() -> None:
    metric = RadialErrorMetric()
    metric(y_pred=torch.ones(1, 2, 2), y=torch.zeros(1, 2, 2))
    metric.reset()
    metric(y_pred=torch.zeros(1, 2, 2), y=torch.zeros(1, 2, 2))
    assert metric.aggregate().item() == 0
    assert metric.compute()["all_count"] == 2


def test_the_metric_asks_for_a_reference() -> None:
    with pytest.raises(ValueError, match="y must hold the reference landmarks; got None"):
        RadialErrorMetric()(y_pred=torch.zeros(1, 2, 2))


def test_each_sample_may_have_a_spacing_of_its_own() -> None:
    predicted = torch.tensor([[[3.0, 4.0]], [[3.0, 4.0]]])
    metric = RadialErrorMetric()
    errors = metric(predicted, torch.zeros(2, 1, 2), spacing=torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
    assert errors.tolist() == [5.0, 10.0]
    assert metric(predicted, torch.zeros(2, 1, 2), spacing=(4.0, 3.0)).tolist() == pytest.approx([np.hypot(12, 12)] * 2)


def test_monais_handler_of_cumulative_metrics_takes_it() -> None:
    engine = Engine(lambda _, output: output)
    IgniteMetricHandler(RadialErrorMetric(), output_transform=lambda output: output).attach(engine, "mre")
    engine.state.metric_details = {}
    engine.run([(torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]), torch.zeros(1, 2, 2))])
    assert engine.state.metrics["mre"] == 3
    assert engine.state.metric_details["mre"].tolist() == [5.0, 1.0]


MEASURE_AS_ONE_OF_TWO_PROCESSES = """
import sys
import torch
from monai_gu2net.metrics import RadialErrorMetric

folder, rank = sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
metric = RadialErrorMetric(thresholds=[2.0, 15.0])
for output in torch.load(f"{folder}/batches.pt")[rank::2]:
    metric(output[0], output[1], domain=output[2])
torch.save(metric.compute(), f"{folder}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


def test_processes_measure_together_what_one_measures_alone(tmp_path: Path) -> None:
    """The first process sees only the head, the second only the hand."""
    torch.save(BATCHES, tmp_path / "batches.pt")
    command = [sys.executable, "-c", MEASURE_AS_ONE_OF_TWO_PROCESSES, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    alone = RadialErrorMetric(thresholds=[2.0, 15.0])
    for output in BATCHES:
        add(alone, output)
    expected = alone.compute()
    assert expected["head_mre"] == summarize_errors(torch.tensor([1.0, 2.0, 6.0, 3.0]), [])["mean"]
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt", weights_only=True) == pytest.approx(expected)
