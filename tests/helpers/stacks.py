"""Checks of stacks of layers in the machine: gradient, threads, guard words, rows by themselves."""

from dataclasses import dataclass

import numpy as np

from helpers.comparison import assert_same_bits
from helpers.gradient_check import check_gradient
from helpers.guarded_memory import Guards
from helpers.loss_cases import LOSSES, sample
from helpers.programs import build, draw_theta, forward, train
from sklearn_nn.training.optimizers import Adam

MULTICLASS = next(case for case in LOSSES if case.name == "multiclass")


@dataclass
class Stack:
    """Layers below a softmax of three classes, for samples of a shape."""

    shape: tuple
    layers: list

    def problem(self, rng, dtype, n):
        """Return the program, n samples, their classes, their weights and drawn parameters."""
        program = build(self.layers, self.shape, dtype, MULTICLASS.loss)
        X, y, weight = sample(rng, MULTICLASS, n, int(np.prod(self.shape)), dtype)
        # So small that no probability is near 0, where the log loss is cut off.
        return program, X, y, weight, draw_theta(program, rng, 0.2)

    def check_gradient(self, rng, seed):
        """Check every parameter by central differences, weighted and penalised too."""
        program, X, y, weight, theta = self.problem(rng, "float64", 5)
        options = {"theta": theta, "seed": seed}
        check_gradient(program, MULTICLASS, X, y, **options)
        check_gradient(program, MULTICLASS, X, y, weight, alpha=0.3, **options)

    def check_threads(self, rng, dtype):
        """Check that training is the same for any number of threads.

        Return a function of training's options that trains again, and the trained parameters.
        """
        program, X, y, weight, theta = self.problem(rng, dtype, 40)
        targets = MULTICLASS.loss.targets(y, weight, dtype)
        options = {"order": rng.permutation(40), "batch_size": 19, "alpha": 0.1, "seed": 5}

        def again(**more):
            return train(program, theta, X, targets, Adam(), **options | more)

        alone = again()
        assert np.isfinite(alone.theta).all()
        for n_jobs in (2, 3, 4):
            assert_same_bits(again(n_jobs=n_jobs), alone)
        return again, alone

    def check_guard_words(self, rng, dtype, monkeypatch):
        """Check that nothing is written beside a buffer; what is read there would be NaN."""
        guards = Guards()
        guards.install(monkeypatch)
        program, X, y, _, theta = self.problem(rng, dtype, 21)
        targets = MULTICLASS.loss.targets(y, None, dtype)
        for n_jobs, batch_size in ((1, 21), (2, 9), (3, 16)):
            trained = train(
                program, theta, X, targets, Adam(), order=np.arange(21), batch_size=batch_size,
                n_jobs=n_jobs,
            )  # fmt: skip
            assert np.isfinite(trained.theta).all()
            assert np.isfinite(forward(program, theta, X, n_jobs=n_jobs)).all()
            guards.check()

    def check_rows(self, rng):
        """Check that the prediction of a row depends neither on others nor on threads."""
        program, X, _, _, theta = self.problem(rng, "float32", 300)
        whole = forward(program, theta, X)
        for rows in (np.array([7]), np.arange(295, 300), np.arange(100)):
            np.testing.assert_array_equal(forward(program, theta, X, rows=rows), whole[rows])
        np.testing.assert_array_equal(forward(program, theta, X, n_jobs=3), whole)
