"""AUROC and average precision are exact under ties and weights, and obey their symmetries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.evaluation.ranks import rank, rank_statistics, refuse_one_sided
from pipeline.records.errors import UserError


@st.composite
def weighted_classes(draw: st.DrawFn, low: int = 0, high: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw scores that often tie, labels of both kinds, and two weightings under which both kinds count."""
    n = draw(st.integers(2, 40))
    few = draw(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=8))
    scores = np.array(draw(st.lists(st.sampled_from([*few, 0.0, -0.0]), min_size=n, max_size=n)), np.float32)
    positive = np.array([True, False, *draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    weights = draw(st.lists(st.integers(low, high), min_size=2 * n, max_size=2 * n))
    table = np.array(weights, np.uint8).reshape(2, n)
    table[:, :2] = np.maximum(table[:, :2], 1)
    return scores, positive, table


@given(weighted_classes())
def test_both_statistics_equal_scikit_learn_under_ties_and_weights(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, positive, weights = drawn
    ours = rank_statistics(scores, positive, weights)
    for row, weight in enumerate(weights):
        auroc = roc_auc_score(positive, scores, sample_weight=weight)
        auprc = average_precision_score(positive, scores, sample_weight=weight)
        assert ours.auroc[row] == pytest.approx(auroc, abs=1e-12)
        assert ours.auprc[row] == pytest.approx(auprc, abs=1e-12)


@pytest.mark.parametrize("prevalence", [0.003, 0.2, 0.9])
def test_a_large_class_with_fractional_weights_equals_scikit_learn(prevalence: float) -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(5000) < prevalence
    scores = (rng.standard_normal(5000) + positive).astype(np.float32)
    weights = rng.random((3, 5000))
    ours = rank_statistics(scores, positive, weights)
    auroc = [roc_auc_score(positive, scores, sample_weight=weight) for weight in weights]
    auprc = [average_precision_score(positive, scores, sample_weight=weight) for weight in weights]
    np.testing.assert_allclose(ours.auroc, auroc, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.auprc, auprc, rtol=0, atol=1e-12)


@given(weighted_classes())
def test_a_weight_is_a_number_of_copies(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    scores, positive, weights = drawn
    weighted = rank_statistics(scores, positive, weights[:1])
    copies = np.repeat(np.arange(len(scores)), weights[0])
    copied = rank_statistics(scores[copies], positive[copies], np.ones((1, len(copies))))
    assert weighted.auroc == copied.auroc
    assert weighted.auprc == pytest.approx(copied.auprc, abs=1e-12)


@given(weighted_classes())
def test_a_strictly_increasing_transform_changes_nothing(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, positive, weights = drawn
    ranks = np.unique(scores, return_inverse=True)[1].astype(np.float32)
    original = rank_statistics(scores, positive, weights)
    transformed = rank_statistics(2 * ranks - 7, positive, weights)
    assert np.array_equal(original, transformed)


@given(weighted_classes())
def test_flipping_labels_or_scores_turns_auroc_around_and_both_restore_it(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, positive, weights = drawn
    auroc = rank_statistics(scores, positive, weights).auroc
    np.testing.assert_allclose(rank_statistics(scores, ~positive, weights).auroc, 1 - auroc, atol=1e-15)
    np.testing.assert_allclose(rank_statistics(-scores, positive, weights).auroc, 1 - auroc, atol=1e-15)
    assert np.array_equal(rank_statistics(-scores, ~positive, weights).auroc, auroc)


@given(weighted_classes())
def test_weighting_units_equals_weighting_their_images(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    scores, positive, weights = drawn
    units = np.arange(len(scores)) // 3
    unit_weights = weights[:, : units[-1] + 1].astype(float)
    by_unit = rank(scores, positive, units, units[-1] + 1).statistics(unit_weights.T)
    by_image = rank_statistics(scores, positive, unit_weights[:, units])
    assert np.array_equal(by_unit, by_image, equal_nan=True)


def test_scores_that_differ_in_the_last_bit_of_float32_are_not_ties() -> None:
    scores = np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    assert rank_statistics(scores, np.array([False, True]), np.ones((1, 2))).auroc == 1
    assert rank_statistics(scores, np.array([True, False]), np.ones((1, 2))).auroc == 0


def test_both_are_undefined_where_no_positive_or_no_negative_has_weight() -> None:
    scores, positive = np.array([0.1, 0.2, 0.3], np.float32), np.array([True, False, True])
    auroc, auprc = rank_statistics(scores, positive, np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0]]))
    assert np.isnan(auroc).tolist() == np.isnan(auprc).tolist() == [False, True, True, True]
    assert np.isnan(rank_statistics(scores, np.zeros(3, bool), np.ones((1, 3))).auroc)
    assert np.isnan(rank_statistics(scores, np.ones(3, bool), np.ones((1, 3))).auprc)


def test_16_bit_scores_are_refused() -> None:
    with pytest.raises(UserError, match=r"float16.*float32"):
        rank_statistics(np.array([0.1, 0.2], np.float16), np.array([True, False]), np.ones((1, 2)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_with_their_row(bad: float) -> None:
    with pytest.raises(UserError, match=r"1 of 3 scores.*row 1"):
        rank_statistics(np.array([0.1, bad, 0.2], np.float32), np.array([1, 0, 1], bool), np.ones((1, 3)))


@pytest.mark.parametrize(("labels", "kind"), [([1, -1, 1], "negative"), ([0, -1, 0], "positive")])
def test_a_one_sided_class_is_named(labels: list[int], kind: str) -> None:
    table = np.stack([[1, 0, 1], labels], axis=1).astype(np.int8)
    with pytest.raises(UserError, match=f"'hernia' has no {kind} image in the test split"):
        refuse_one_sided(table, ["edema", "hernia"], "test")
