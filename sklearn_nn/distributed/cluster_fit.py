"""Fit of an estimator whose rows are on the workers of a cluster."""

from __future__ import annotations

import copy
import functools

import numpy as np
from sklearn.base import clone, is_classifier

from sklearn_nn.distributed import rounds
from sklearn_nn.distributed.partitions import sample, sample_share, summarize
from sklearn_nn.distributed.shard import begin, encode, size_of
from sklearn_nn.estimators._core.fit import LEFT_BY_TRAINING, Fit, FitRequest, is_lbfgs
from sklearn_nn.estimators._core.fitted_network import publish_network
from sklearn_nn.estimators._core.parts import FitMode, warn
from sklearn_nn.network.source import Source
from sklearn_nn.training.trainer import Ending

#: Parts of an estimator, by which workers read and train.
_PARTS = (
    "_reader", "_codec", "_network", "_seed", "_chosen", "n_features_in_", "feature_names_in_",
)  # fmt: skip
#: Rows of a batch whose gradient L-BFGS adds up.
_GRADIENT_ROWS = 256


class OnCluster:
    """Fit whose rows are on the workers of a cluster; see `on_cluster`.

    `groups` are references to the partitions of each group.
    """

    def prepare(self):
        """Let workers learn what the network needs, and encode their rows; return a request."""
        est, cluster = self.estimator, self.cluster
        summary = self._summarize()
        if self.begins:
            self._begin(summary)
        network, program = est._network, est._network.program
        if program.n_state and is_lbfgs(est):
            raise ValueError(
                "solver='lbfgs' on a cluster sums gradients of blocks of rows, which layers that "
                "normalize by batches do not have; use another solver, such as 'adam'."
            )
        if not hasattr(est, "_seed"):
            est._seed = est._random_state.randint(2**31 - 1) if program.is_random else 0
        self._encode()
        validation = self.read_validation(est._reader, est._codec, network.dtype)
        nothing, whole = np.zeros(0, dtype=network.dtype), np.zeros(0, dtype=np.int64)
        elsewhere = Source(None, nothing, whole, whole, sum(cluster.sizes), program.input_width)
        return FitRequest(elsewhere, np.zeros((1, 1)), None, validation, program)

    def _summarize(self):
        """Return the figures of all rows; leave out partitions without rows."""
        labels, engine = is_classifier(self.estimator), self.engine
        calls = [[engine.call(summarize, part, labels) for part in group] for group in self.groups]
        found = [engine.results(group) for group in calls]
        self.groups = [
            [part for part, one in zip(*pair, strict=True) if one is not None]
            for pair in zip(self.groups, found, strict=True)
        ]
        self.groups = [group for group in self.groups if group]
        found = [one for group in found for one in group if one is not None]
        if not found:
            raise ValueError("X has no rows.")
        return functools.reduce(lambda one, other: one.plus(other), found)

    def _begin(self, summary):
        """Take reader, codec and initial weights, which a worker makes from a sample."""
        est, engine = self.estimator, self.engine
        parts = [part for group in self.groups for part in group]
        # The first numbers drawn are the initial weights, as in a fit in memory.
        seed = copy.deepcopy(est._random_state).randint(2**31 - 1)
        share, labels = sample_share(summary), is_classifier(est)
        samples = [
            engine.call(sample, part, share, [seed, k], labels) for k, part in enumerate(parts)
        ]
        new = est._twin()
        new.callbacks = None
        new = clone(new)
        new.random_state = copy.deepcopy(est._random_state)
        ((made, told),) = engine.results([engine.call(begin, new, summary, *samples)])
        for one in told:
            warn(*one)
        own = {*est.get_params(deep=False), "_made_with", "_random_state"}
        for name in (*LEFT_BY_TRAINING, "feature_names_in_"):
            vars(est).pop(name, None)
        vars(est).update({name: value for name, value in vars(made).items() if name not in own})
        est._random_state.set_state(made._random_state.get_state(legacy=False))
        publish_network(est, made._network.copy())
        if "_chosen" in vars(est):
            est._chosen = {**est._chosen, "n_networks": 1}

    def _encode(self):
        """Let each group encode its rows."""
        est, engine, cluster = self.estimator, self.engine, self.cluster
        job, parameters = est._twin(), est.get_params(deep=False)
        kept = {*_PARTS, *est._transient, *est._ARRAY_LISTS}
        for name in [*vars(job)]:
            if name not in parameters and name not in kept:
                vars(job).pop(name)
        job.callbacks, job.n_jobs = None, engine.threads(est.n_jobs)
        if cluster.is_exact or is_lbfgs(est):
            job.alpha = 0.0  # the penalty is added here, once
        shared = engine.share(job)
        cluster.shards = [
            engine.call(encode, shared, k, *group) for k, group in enumerate(self.groups)
        ]
        cluster.sizes = engine.results([engine.call(size_of, one) for one in cluster.shards])
        self.groups = []

    # --- training ----------------------------------------------------------------------------

    def train(self, times):
        """Train the network; what estimators say of their rows is left out."""
        Fit.train(self, times)

    def rows(self, request):
        """Return as many numbers as there are rows, which are elsewhere, and no rows held out."""
        self.estimator._held_out = None
        return np.broadcast_to(np.int64(0), request.source.n_rows), None

    def batch_size(self, n_samples):
        """Return the number of samples in a batch of a group."""
        return min(super().batch_size(n_samples), max(self.cluster.sizes))

    def machine(self, program, capacity):
        """Return a machine that only updates weights."""
        return super().machine(program, 1)

    def trainer(self, request):
        """Return the trainer that trains in rounds."""
        est, cluster = self.estimator, self.cluster
        trainer = super().trainer(request)
        trainer.rows = est._order = np.arange(0)
        cluster.batch_size = trainer.batch_size
        if self.mode is FitMode.RESUMED:
            self._check_place(est._rounds)
        else:
            seed, n_theta = est._random_state.randint(2**31 - 1), est._network.theta.size
            est._rounds = rounds.begun(seed, cluster.sizes, n_theta)
        if cluster.checkpoint is not None:
            trainer.callbacks = [*trainer.callbacks, rounds.Backup(cluster.checkpoint)]
        self.rounds = rounds.Rounds.of(trainer, cluster, est._rounds)
        return self.rounds

    def _check_place(self, place):
        """Raise ValueError if a checkpoint is of other rows or groups."""
        if place["sizes"] != self.cluster.sizes:
            raise ValueError(
                f"The checkpoint is of groups of {place['sizes']} rows, but the data are in groups "
                f"of {self.cluster.sizes}; pass the same data, in the same partitions, and "
                f"n_workers={len(place['sizes'])}."
            )

    def loss_over_all(self, request):
        """Return the machine and the function that L-BFGS minimizes."""
        self.cluster.batch_size = min(_GRADIENT_ROWS, max(self.cluster.sizes))
        machine = self.machine(request.program, 1)
        return machine, rounds.loss_over_all(machine, self.cluster)

    def run(self):
        """Fit the estimator, and delete the checkpoint if the training has ended."""
        est = super().run()
        vars(est).pop("_rounds", None)
        path = self.cluster.checkpoint
        if path is not None and self.rounds.ending is not Ending.INTERRUPTED:
            path.unlink(missing_ok=True)
        return est


@functools.cache
def on_cluster(kind):
    """Return the class of fits of a kind whose rows are on a cluster."""
    return type(f"Cluster{kind.__name__}", (OnCluster, kind), {})
