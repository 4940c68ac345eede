"""The linear classifier is where its loss is least."""
import numpy as np
import pytest

from lib.fewshot import linear
from lib.fewshot.linear import fit, log_softmax


def clouds(count, dimensions, classes, seed=0, spread=1.0):
    random = np.random.RandomState(seed)
    labels = random.randint(classes, size=count)
    centres = random.normal(0, 1, (classes, dimensions))
    scales = 10.0 ** random.uniform(-3, 3, dimensions)     # features of very different size
    return ((centres[labels] + spread * random.normal(0, 1, (count, dimensions))) * scales + 5 * scales).astype(
        np.float32), labels


def gradient(features, labels, classes, found, penalty):
    """Of the loss by the weights of standardised features, and by the biases."""
    deviation = features.std(axis=0, dtype=np.float64)
    rows = (features - features.mean(axis=0, dtype=np.float64)) / deviation
    weight = found.weight * deviation[:, None]
    bias = found.bias + features.mean(axis=0, dtype=np.float64) @ found.weight
    errors = np.exp(log_softmax(rows @ weight + bias)) - np.eye(classes)[labels]
    return rows.T @ errors / len(rows) + penalty * weight, errors.mean(axis=0)


@pytest.mark.parametrize('count, dimensions', [(300, 12), (40, 90)])    # more samples than features, and fewer
def test_no_gradient_is_left(count, dimensions):
    features, labels = clouds(count, dimensions, 5)
    found = fit(features, labels, 5, 0.01)
    of_weights, of_biases = gradient(features, labels, 5, found, 0.01)
    start, _ = gradient(features, labels, 5, linear.Linear(found.weight * 0, found.bias * 0), 0.01)
    assert np.abs(of_weights).max() < 0.02 * np.abs(start).max() and np.abs(of_biases).max() < 5e-3


def test_what_it_learns_holds_for_others():
    features, labels = clouds(600, 30, 6, spread=0.7)
    found = fit(features[:300], labels[:300], 6)
    assert (found.log_probabilities(features[300:]).argmax(axis=1) == labels[300:]).mean() > 0.95
    np.testing.assert_allclose(np.exp(found.log_probabilities(features)).sum(axis=1), 1, rtol=1e-5)


def test_many_dimensions_are_reduced(monkeypatch):
    monkeypatch.setattr(linear, 'MOST_DIMENSIONS', 10)
    features, labels = clouds(200, 60, 4, spread=0.5)
    found, again = (fit(features, labels, 4, seed=1) for _ in range(2))
    np.testing.assert_array_equal(found.weight, again.weight)
    assert np.linalg.matrix_rank(found.weight * features.std(axis=0)[:, None]) <= 4
    assert (found.log_probabilities(features).argmax(axis=1) == labels).mean() > 0.95


def test_features_that_say_nothing():
    """Constant ones, and a class with a single sample."""
    features = np.array([[1, 0, 7], [2, 0, 7], [9, 0, 7]], np.float32)
    found = fit(features, np.array([0, 0, 1]), 2)
    assert np.isfinite(found.weight).all() and (found.log_probabilities(features).argmax(axis=1) == [0, 0, 1]).all()
