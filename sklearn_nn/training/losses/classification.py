"""Losses of classification, each in a form for a sigmoid and a form for a softmax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from sklearn_nn._spec import named_classes, parameters
from sklearn_nn.jit.functions import exp, fma, log, log1p, sigmoid, softplus
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import exponentials, row_sum
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.epoch_loop import LOSS
from sklearn_nn.network.machine import Targets
from sklearn_nn.training.losses.base import (
    Loss,
    at_most,
    look_up,
    pointwise,
    row_weight,
)

__all__ = ["SigmoidFocal", "SigmoidLogLoss", "SoftmaxFocal", "SoftmaxLogLoss"]


@kernel(LOSS)
def sigmoid_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: sum over outputs of -y log p - (1 - y) log(1 - p), p = sigmoid(z). Gradient: p - y."""
    lo, hi = owned_rows(z, part, parts)
    n = z.shape[1]
    raw, p = vector(z, lo * n, (hi - lo) * n), vector(dz, lo * n, (hi - lo) * n)
    for k in range(p.size):
        p[k] = sigmoid(raw[k])
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        one, total = like(w, 1), like(w, 0)
        factor, limit = like(w, w * scale), like(w, options[0])
        for j in range(n):
            y, q = target[row, j], dz[i, j]
            if y > 0:
                total += y * at_most(-log(q), limit)
            if y < one:
                total += (one - y) * at_most(-log(one - q), limit)
            dz[i, j] = (q - y) * factor
        losses[i] = w * total


@kernel(LOSS)
def softmax_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: -log p[y], p = softmax(z), y the class index. Gradient: p - onehot(y)."""
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        factor, label = like(w, w * scale), int(target[row, 0])
        total = row_sum(dz, i)
        losses[i] = w * at_most(-log(dz[i, label] / total), like(w, options[0]))
        for j in range(z.shape[1]):
            dz[i, j] *= factor / total
        dz[i, label] -= factor


@njit(**INLINED_OPTIONS)
def _row_max(x: Any, i: int) -> Any:
    """Return the maximum of row i."""
    largest = x[i, 0]
    for j in range(1, x.shape[1]):
        largest = x[i, j] if x[i, j] > largest else largest
    return largest


@kernel(LOSS)
def smooth_softmax_log_loss(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: -sum of t log p, t = (1 - s) onehot(y) + s / K, p = softmax(z). Gradient: p - t."""
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    n = z.shape[1]
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        limit, even = like(w, options[0]), like(w, options[1] / n)
        own, factor = like(w, 1 - options[1]), like(w, w * scale)
        label = int(target[row, 0])
        total, largest, every = row_sum(dz, i), _row_max(z, i), like(w, 0)
        log_total = log(total)
        for j in range(n):
            every += at_most((largest - z[i, j]) + log_total, limit)
            dz[i, j] = (dz[i, j] / total - even) * factor
        dz[i, label] -= own * factor
        losses[i] = w * (own * at_most((largest - z[i, label]) + log_total, limit) + even * every)


@kernel(LOSS)
def softmax_focal(part, parts, options, target, weight, rows, scale, z, dz, losses):
    """Loss: (1 - p)^gamma (-log p), p = softmax(z)[y]; gradient: c (softmax(z) - onehot(y)).

    c = (1 - p)^gamma (1 + gamma p (-log p) / (1 - p)), whose fraction tends to 1 as p does.
    """
    lo, hi = owned_rows(z, part, parts)
    exponentials(z, dz, lo, hi)
    for i in range(lo, hi):
        row = rows[i]
        w = row_weight(weight, row)
        zero, one = like(w, 0), like(w, 1)
        limit, gamma = like(w, options[0]), like(w, options[1])
        label = int(target[row, 0])
        own, dz[i, label] = dz[i, label], zero
        # 1 - p as the sum of the other classes, not as a difference, which would cancel.
        others = row_sum(dz, i)
        total = others + own
        rest = others / total
        # Beyond the limit p is below epsilon and no longer affects the results.
        log_loss = at_most(_row_max(z, i) - z[i, label] + log1p(others + (own - one)), limit)
        rarity = exp(gamma * log(rest)) if rest > zero else zero
        ratio = log_loss / rest if rest > zero else one
        losses[i] = w * rarity * log_loss
        slope = like(w, w * scale) * rarity * (one + gamma * (own / total) * ratio)
        for j in range(z.shape[1]):
            dz[i, j] *= slope / total
        dz[i, label] = -slope * rest


@parameters
class _LogLoss(Loss):
    """Cross-entropy, where a label costs at most -log(epsilon of the dtype) as in scikit-learn."""

    name = "log_loss"
    shared = ("label_smoothing",)
    limits = {"label_smoothing": "[0, 1)"}

    label_smoothing: float = 0.0

    def options(self, dtype: str) -> np.ndarray:
        """Return [largest loss of one label, label_smoothing]."""
        largest = -np.log(np.finfo(dtype).eps)
        return np.array([largest, self.label_smoothing], dtype=np.float64)


class SigmoidLogLoss(_LogLoss):
    """Binary cross-entropy summed over the outputs, for two classes or for several labels.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Smoothing s in [0, 1): the targets are ``(1 - s) y + s / 2`` (Szegedy et al., 2016,
        section 7).

    References
    ----------
    Szegedy, C., et al. (2016). Rethinking the Inception architecture for computer vision. CVPR.
    """

    kernel = sigmoid_log_loss
    link = "logistic"

    def targets(self, y: np.ndarray, weight: np.ndarray | None, dtype: str) -> Targets:
        """Convert targets and weights; smoothing changes the targets, not the kernel."""
        self.check()
        if self.label_smoothing > 0:
            y = (1 - self.label_smoothing) * y + self.label_smoothing / 2
        return super().targets(y, weight, dtype)


class SoftmaxLogLoss(_LogLoss):
    """Multiclass cross-entropy; the target is the class index.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Smoothing s in [0, 1): with K classes the targets are ``(1 - s) onehot(y) + s / K``
        (Szegedy et al., 2016, section 7).

    References
    ----------
    Szegedy, C., et al. (2016). Rethinking the Inception architecture for computer vision. CVPR.
    """

    kernel = softmax_log_loss
    link = "softmax"

    def chosen_kernel(self) -> Kernel:
        """Return the kernel; smooth targets have a slower one."""
        return smooth_softmax_log_loss if self.label_smoothing > 0 else self.kernel


@parameters
class _Focal(Loss):
    """Focal loss: cross-entropy times (1 - p)^gamma, p the probability of the true label."""

    name = "focal"
    limits = {"gamma": "[0, inf)"}

    gamma: float = 2.0

    def options(self, dtype: str) -> np.ndarray:
        """Return [largest cross-entropy of one label, gamma]."""
        return np.array([-np.log(np.finfo(dtype).eps), self.gamma], dtype=np.float64)


def _focal(z: Any, y: Any, options: Any) -> Any:
    # With p = sigmoid(margin): -log(p) = softplus(-margin), -log(1 - p) = softplus(margin).
    margin = (y + y - like(z, 1)) * z
    rarity = exp(-like(z, options[1]) * softplus(margin))
    return rarity * at_most(softplus(-margin), like(z, options[0]))


def _focal_derivative(z: Any, y: Any, options: Any) -> Any:
    # In the margin: -(1 - p)^gamma (gamma p (-log p) + 1 - p).
    sign, gamma = y + y - like(z, 1), like(z, options[1])
    margin = sign * z
    rarity = exp(-gamma * softplus(margin))
    slope = rarity * fma(gamma * sigmoid(margin), softplus(-margin), sigmoid(-margin))
    return -sign * slope


class SigmoidFocal(_Focal):
    """Focal loss summed over the outputs, for two classes or for several labels.

    Labels that are already predicted well contribute little, which helps with rare classes among
    many easy samples. The paper's class-balancing factor alpha is `class_weight` here.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing exponent, >= 0; 0 gives the log loss.

    References
    ----------
    Lin, T.-Y., et al. (2017). Focal loss for dense object detection. ICCV; equation 4.
    """

    kernel = pointwise("sigmoid_focal", _focal, _focal_derivative, mean=False)
    link = "logistic"


class SoftmaxFocal(_Focal):
    """Focal loss of the true class's probability; the target is the class index.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing exponent, >= 0; 0 gives the log loss.

    References
    ----------
    Lin, T.-Y., et al. (2017). Focal loss for dense object detection. ICCV; equation 4.
    """

    kernel = softmax_focal
    link = "softmax"


_BY_LINK = {(kind.name, kind.link): kind for kind in named_classes(Loss, globals())}
#: Losses of classifiers by name: for two classes or several labels, and for more classes.
CLASSIFICATION_LOSSES = {
    name: (_BY_LINK[name, "logistic"], _BY_LINK[name, "softmax"]) for name, _ in _BY_LINK
}


def get_classification_loss(loss: Any, multiclass: bool, settings: Mapping[str, Any]) -> Loss:
    """Return the loss of this name with the parameters that it shares with an estimator's.

    `multiclass` selects the form for a softmax; otherwise each output has a sigmoid of its own.
    A `Loss` is returned unchanged; an unknown name raises ValueError.
    """
    if isinstance(loss, Loss):
        return loss
    return look_up(loss, CLASSIFICATION_LOSSES)[int(multiclass)].sharing(settings)
