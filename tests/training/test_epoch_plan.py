"""Batches of an epoch: every row once, similar lengths together, window after window."""

import numpy as np
import pytest

from sklearn_nn.network.source import in_windows, sequences, source
from sklearn_nn.training.trainer import plan_epoch


def batches(plan):
    """The rows of every batch."""
    found = []
    for order, size, n, *_ in plan:
        assert n == -(-order.size // size)
        found += [order[k * size : (k + 1) * size] for k in range(n)]
    return found


def test_rows_keep_their_order(rng):
    data, rows = source(np.zeros((23, 2)), "float32"), rng.permutation(23)
    (batches,) = plan_epoch(data, rows, 5, np.random.RandomState(0))
    np.testing.assert_array_equal(batches.order, rows)
    assert (batches.batch_size, batches.n_batches) == (5, 5)


@pytest.mark.parametrize("n", [7, 400, 403])
def test_similar_lengths_are_together(rng, n):
    lengths = rng.integers(1, 100, n)
    data = sequences(np.zeros(lengths.sum()), np.zeros(n), lengths, 1, "float32")
    rows = rng.permutation(n)
    plan = plan_epoch(data, rows, 10, np.random.RandomState(0))
    got = batches(plan)
    np.testing.assert_array_equal(np.sort(np.concatenate(got)), np.arange(n))
    again = plan_epoch(data, rows, 10, np.random.RandomState(0))
    np.testing.assert_array_equal(plan[0].order, again[0].order)
    if n >= 400:
        waste = np.mean([1 - lengths[b].mean() / lengths[b].max() for b in got[:-1]])
        assert waste < 0.1  # of rows as they come: nearly half
        first = [lengths[b].max() for b in got[:-1]]
        assert first != sorted(first)  # and not from short to long
    (kept,) = plan_epoch(data, rows, 10, None)
    np.testing.assert_array_equal(kept.order, rows)


def test_windows_follow_one_another():
    """Those that are left over are in batches of their own, so that rows stay where they are."""
    data = in_windows(np.zeros((5, 12)), 3, "float32")
    rows = np.array([4, 0, 3, 1, 2])
    got = batches(plan_epoch(data, rows, 2, np.random.RandomState(0)))
    expected = [[12, 0], [13, 1], [14, 2], [9, 3], [10, 4], [11, 5], [6], [7], [8]]
    assert [batch.tolist() for batch in got] == expected
    got = batches(plan_epoch(data, rows[:1], 2, None))
    assert [batch.tolist() for batch in got] == [[12], [13], [14]]


def test_the_sum_of_losses():
    (batches,) = plan_epoch(source(np.zeros((5, 1)), "float32"), np.arange(5), 2, None)
    assert batches.total(np.array([1.0, 2.0, 7.0])) == 2 * 1 + 2 * 2 + 7
    assert batches.size == 5


def test_weights_say_how_much_a_batch_counts():
    data, weights = source(np.zeros((5, 1)), "float32"), np.array([0.5, 0, 3, 0.25, 0])
    (batches,) = plan_epoch(data, np.array([4, 3, 2, 0, 1]), 2, None, weights)
    assert batches.counts.tolist() == [0.25, 3.5, 0]
    assert batches.size == 3.75
    assert batches.total(np.array([1.0, 2.0, 7.0])) == 0.25 + 7
    whole = in_windows(np.zeros((3, 4)), 2, "float32")
    plan = plan_epoch(whole, np.array([2, 0, 1]), 2, None, np.arange(6.0))
    # Row k has the windows 2 k and 2 k + 1.
    assert [p.counts.tolist() for p in plan] == [[4 + 0, 5 + 1], [2, 3]]


def test_a_batch_has_the_windows_of_its_longest(rng):
    """Windows in which no row has a step left are none; losses count by the steps they are of."""
    lengths = np.array([2, 9, 3, 3, 5])
    data = sequences(np.zeros(22), np.cumsum(lengths) - lengths, lengths, 1, "float32", 3)
    assert data.windows == 3
    weights = data.steps(np.arange(5)).ravel()
    plan = plan_epoch(data, np.array([0, 2, 1, 3, 4]), 2, None, weights)
    shown = [(p.order.tolist(), p.batch_size, p.n_batches, p.windows) for p in plan]
    # Row k has the numbers 3 k to 3 k + 2.
    assert shown == [([0, 6], 2, 1, 1), ([3, 9, 4, 10, 5, 11], 2, 3, 3), ([12, 13], 1, 2, 2)]
    assert [p.counts.tolist() for p in plan] == [[5], [6, 3, 3], [3, 2]]
    assert sum(p.size for p in plan) == lengths.sum()
    assert plan[1].total(np.array([1.0, 2.0, 4.0])) == 6 + 6 + 12
    together = plan_epoch(data, np.array([0, 2, 3]), 1, None)  # of one kind: one `Batches`
    assert [(p.n_batches, p.windows) for p in together] == [(3, 1)]
