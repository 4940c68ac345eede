"""A linear softmax classifier of features, found by what bounds its curvature (Boehning 1992, "Multinomial logistic
regression algorithm"): no learning rate, no line search, the same answer every time.

The loss is the mean cross entropy plus PENALTY / 2 times the squared weights of standardised features. Its Hessian is
nowhere above half the covariance of the features, so a step against the gradient by the inverse of that goes down; with
Nesterov's momentum, begun anew where it overshoots, some dozens of steps are enough.

Letters: n samples, D features, K classes, d dimensions that are fitted in.
"""
from typing import NamedTuple

import numpy as np

PENALTY = 0.01
STEPS = 150
CLOSE_ENOUGH = 1e-4     # of the loss, between two steps
MOST_DIMENSIONS = 256   # principal ones that are fitted in: more cost time, and are told apart by noise
MOST_ROWS = 4096        # that say which these are
LEAST_DEVIATION = 1e-6


class Linear(NamedTuple):
    """Logits of features x: x @ weight + bias."""
    weight: np.ndarray      # (D, K) float32
    bias: np.ndarray        # (K,) float32

    def log_probabilities(self, features: np.ndarray) -> np.ndarray:
        """(..., D) -> (..., K) float32."""
        return log_softmax(features @ self.weight + self.bias)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def fit(features: np.ndarray, labels: np.ndarray, classes: int, penalty: float = PENALTY, seed: int = 0) -> Linear:
    """features (n, D), labels (n,) from 0, K `classes` -> Linear. seed: of the search for principal dimensions, where
    there are more than MOST_DIMENSIONS."""
    features = np.asarray(features, np.float32)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = features - mean
    deviation = np.maximum(np.sqrt(np.mean(centred * centred, axis=0, dtype=np.float64)), LEAST_DEVIATION)
    centred /= deviation.astype(np.float32)
    basis = _basis(centred, seed)
    reduced = centred if basis is None else centred @ basis
    rows = np.concatenate([reduced, np.ones((len(reduced), 1), np.float32)], axis=1)
    solution = _descend(rows, np.asarray(labels), classes, penalty)
    weight, bias = solution[:-1], solution[-1]
    weight = (weight if basis is None else basis @ weight) / deviation[:, None]
    return Linear(weight.astype(np.float32), (bias - mean @ weight).astype(np.float32))


def _basis(rows, seed):
    """(D, d) orthonormal columns that the rows (n, D) are told apart in; None for all D."""
    count, dimensions = rows.shape
    if min(count, dimensions) > MOST_DIMENSIONS:    # Halko et al. 2011: the range of random sums, sharpened twice
        rows = rows[::-(-count // MOST_ROWS)]
        draws = np.random.default_rng(seed).standard_normal((dimensions, MOST_DIMENSIONS + 16)).astype(np.float32)
        for _ in range(2):
            draws = np.linalg.qr(rows.T @ (rows @ draws))[0]
        projected = rows @ draws
        directions = np.linalg.eigh(projected.T @ projected)[1][:, ::-1]
        return draws @ directions[:, :MOST_DIMENSIONS]
    return np.linalg.qr(rows.T)[0] if count < dimensions else None      # what is beside all samples counts for nothing


def _descend(rows, labels, classes, penalty):
    """rows (n, d + 1), the last column 1 -> (d + 1, K) where the loss is least."""
    count, width = rows.shape
    costs = np.full(width, penalty)
    costs[-1] = LEAST_DEVIATION       # the bias is free
    bound = 0.5 * (rows.T @ rows).astype(np.float64) / count + np.diag(costs)
    step = np.linalg.inv(bound).astype(np.float32)
    costs = costs.astype(np.float32)[:, None]
    place = np.arange(count)
    here = ahead = np.zeros((width, classes), np.float32)
    last, momentum = np.inf, 1.0
    for _ in range(STEPS):
        logs = log_softmax(rows @ ahead)
        loss = -logs[place, labels].mean(dtype=np.float64) + 0.5 * float((costs * ahead * ahead).sum())
        if abs(last - loss) < CLOSE_ENOUGH:
            break
        errors = np.exp(logs)
        errors[place, labels] -= 1
        there = ahead - step @ (rows.T @ errors / count + costs * ahead)
        if loss > last:
            momentum = 1.0
        following = (1 + (1 + 4 * momentum * momentum) ** 0.5) / 2
        ahead = there + (momentum - 1) / following * (there - here)
        here, last, momentum = there, loss, following
    return here
