"""scikit-learn's own tests of its MLP, run on ours: only the import is changed.

The installed scikit-learn's test file is read, its estimators are replaced, and what it defines
becomes this module, so that pytest collects its tests with their parameters and fixtures.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn.neural_network

import sklearn_nn
from sklearn_nn.estimators._core.fit import Fit
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.estimators._inputs.reader import encode_rows
from sklearn_nn.network.machine import Update

_FILE = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
_IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"

# scikit-learn's suite lets warnings pass where it does not look for them.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


class MLPClassifier(sklearn_nn.MLPClassifier):
    """Ours, with the private function that scikit-learn's `test_gradient` calls."""

    def _loss_grad_lbfgs(self, packed, X, y, sample_weight, *buffers):
        """Loss and gradient at `packed`, scikit-learn's order: all coefs, then all intercepts."""
        if isinstance(sample_weight, list):  # the first of the buffers, before scikit-learn 1.7
            sample_weight = None
        network, codec = network_of(self), self._codec
        for array, values in zip(self._in_sklearn_order(), self._split_like(packed), strict=True):
            array[...] = values.reshape(array.shape)
        labels = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
        target = codec.encode(self.classes_[labels])
        machine = Fit(self, FitMode.WARM, X, y).machine(network.program, len(X))
        targets = codec.loss.targets(target, sample_weight, network.dtype)
        nothing = Update(0, np.zeros((1, 1)), np.zeros((0, 0)))
        rows = np.arange(len(X))
        loss = machine.train(encode_rows(X, network.dtype), targets, rows, len(X), 0, 1, nothing)[0]
        weights = self._network.theta.copy()
        self._network.theta[:] = machine.grad
        grad = np.hstack([array.ravel() for array in self._in_sklearn_order()])
        self._network.theta[:] = weights
        return loss, grad

    def _in_sklearn_order(self):
        return [*self.coefs_, *self.intercepts_]

    def _split_like(self, packed):
        ends = np.cumsum([array.size for array in self._in_sklearn_order()])
        return np.split(packed, ends[:-1])


@pytest.fixture(params=[0, 42])
def global_random_seed(request):
    """scikit-learn's fixture of this name runs a test with several seeds."""
    return request.param


def _patched_source():
    if not _FILE.exists():
        pytest.skip(f"this scikit-learn was installed without {_FILE}", allow_module_level=True)
    source = _FILE.read_text()
    assert source.count(_IMPORT) == 1, "scikit-learn's test file imports its estimators otherwise"
    return source.replace(_IMPORT, "MLPRegressor = sklearn_nn.MLPRegressor\n")


exec(compile(_patched_source(), str(_FILE), "exec"))


def test_the_suite_is_scikit_learns_and_runs_on_ours():
    """Every test function of the file is collected here, and none sees scikit-learn's MLPs."""
    names = set(re.findall(r"^def (test_\w+)", _FILE.read_text(), flags=re.MULTILINE))
    assert len(names) >= 30
    assert names <= globals().keys()
    for name in names:
        assert globals()[name].__globals__["MLPRegressor"] is sklearn_nn.MLPRegressor
        assert globals()[name].__globals__["MLPClassifier"] is MLPClassifier
    assert MLPClassifier is not sklearn.neural_network.MLPClassifier
    assert warnings is not None
