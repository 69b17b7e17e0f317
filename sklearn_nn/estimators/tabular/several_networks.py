"""Several networks of one kind, each trained on rows of its own, and what they predict together."""

from __future__ import annotations

import copy

import numpy as np

from sklearn_nn.network.machine import predict
from sklearn_nn.network.memory import allocate
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.trainer import Ending


class StopAfter(Callback):
    """Ends training after so many epochs, whatever is planned.

    Parameters
    ----------
    epochs : int
    """

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, epoch, log, estimator):
        """Stop where it is time."""
        return epoch >= self.epochs


def _aligned(array):
    """A copy where machine code reads it fastest."""
    copied = allocate(array.size, array.dtype.name)
    copied[:] = array
    return copied


class SeveralNetworks:
    """Mixin: `n_networks` networks, one after the other, each with its validation split.

    `_theta` and `_state` are those of the last, which is trained last; `_earlier` holds what there
    is of those before it.
    """

    def _begin_networks(self, goes_on):
        """Forget the networks of the last fit, but for one that `goes_on`."""
        if self.warm_start is True:
            self._check_can_go_on(goes_on)
        self._earlier = []
        self.histories_ = []
        for name in ("_refit_epochs", "_all_trained"):
            self.__dict__.pop(name, None)
        self._split_seed = self._random_state.randint(2**31 - 1)

    def _check_can_go_on(self, goes_on):
        """Raise a ValueError unless there is one network that a warm start goes on from."""
        if self.refit_full:
            raise ValueError(
                "refit_full=True begins anew on all rows, and warm_start=True does not; set one of "
                "them to False."
            )
        n_last = len(self._earlier) + 1 if goes_on else 1
        if n_last > 1:
            raise ValueError(
                f"The last fit trained {n_last} networks, and warm_start=True goes on from one; "
                "set n_networks=1 and warm_start=False for a first fit that can be gone on from."
            )
        if self._setting("n_networks") > 1:
            raise ValueError(
                f"n_networks={self.n_networks} begin anew, and warm_start=True goes on; set "
                "n_networks=1, or warm_start=False."
            )

    def _check_can_resume(self):
        """Raise a ValueError if of several trainings none is left to be resumed."""
        n_trained = len(self.histories_)
        if self.__dict__.pop("_all_trained", False) and n_trained > 1:
            raise ValueError(
                f"There is nothing to resume: the {n_trained} trainings of the last fit "
                "(n_networks, refit_full) have ended. Begin anew with warm_start=False (and a file "
                "by `load`), or fit with n_networks=1 and refit_full=False to go on later."
            )

    # --- what is held out ----------------------------------------------------------------

    def _splits(self, target):
        """Tables of very few rows are not split, nor when a second training takes all rows."""
        refits = "_refit_epochs" in self.__dict__
        return super()._splits(target) and not refits and self._shared_out(target)[1] > 1

    def _shared_out(self, target):
        """The class of each row, and how many rows are to be held out."""
        labels = self._stratify(target)
        labels = np.zeros(len(target), dtype=np.intp) if labels is None else labels
        # The only row of a class is trained on.
        n_shared = np.count_nonzero(np.bincount(labels)[labels] > 1)
        return labels, int(self.validation_fraction * n_shared + 0.5)

    def _split(self, target):
        """Rows to train on and rows to hold out, of each class its share.

        Networks hold out rows of their own, until each row has been held out once.
        """
        labels, n = self._shared_out(target)
        rows = np.flatnonzero(np.bincount(labels)[labels] > 1)
        n_parts = max(1, len(rows) // n)
        turn, part = divmod(len(self._earlier), n_parts)
        np.random.RandomState((self._split_seed + turn) % 2**32).shuffle(rows)
        # Every so many of the rows in the order of their classes.
        rows = rows[np.argsort(labels[rows], kind="stable")]
        held_out = np.zeros(len(target), dtype=bool)
        places = (np.arange(n) + (part + 0.5) / n_parts) * len(rows) / n
        held_out[rows[places.astype(np.intp)]] = True
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    # --- training ------------------------------------------------------------------------

    def _trainer(self, program, data, target, weight, validation, goes_on):
        if goes_on == "resumed":
            self._check_can_resume()
        trainer = super()._trainer(program, data, target, weight, validation, goes_on)
        if goes_on == "warm" and trainer.history.validated:
            trainer.history.forget_best()  # of other rows, perhaps of other targets
        before = self.histories_[:-1] if goes_on == "resumed" else self.histories_
        self.histories_ = [*before, self.history_]
        if not (self.early_stopping is True and trainer.history.validated):
            trainer.patience = np.inf  # schedules are planned for all epochs
        if "_refit_epochs" in self.__dict__:
            # The user's callbacks may look at the validation set, which there is not now.
            own = [c for c in trainer.callbacks if not any(c is d for d in self.callbacks or ())]
            trainer.callbacks = [*own, StopAfter(self._refit_epochs)]
            return trainer
        if self._held_out is not None:
            validation = (data, self._held_out, target, weight)
        if validation is not None:
            trainer.callbacks = [*trainer.callbacks, *self._judges(program, validation)]
        return trainer

    def _judges(self, program, validation):
        """Callbacks that look at the validation set."""
        return []

    def _rule_of_best(self):
        # Scores of few rows are often equal; and rates have fallen by the last.
        return True, 0.0

    def _means_to_use_all_epochs(self):
        return True

    def _begin_subtasks(self, most):
        times = self._setting("n_networks") * (2 if self.refit_full else 1)
        super()._begin_subtasks(most * times)

    def _train(self, train, again, times):
        """Train networks until there are `n_networks`, each perhaps a second time on all rows."""
        while True:
            ending = self._train_one(train, times)
            if ending is not Ending.INTERRUPTED and self.refit_full and self._held_out is not None:
                again_on_all = self._afresh(again, _refit_epochs=self.best_iteration_)
                ending = self._train_one(again_on_all, times)
            enough = len(self._earlier) + 1 >= self._setting("n_networks")
            if ending is Ending.INTERRUPTED:
                return
            if enough:
                self._all_trained = True
                return
            train = self._afresh(again, _earlier=[*self._earlier, self._this_network()])

    def _afresh(self, again, **changes):
        """A further training, on rows of its own. Where it cannot begin, nothing changes."""
        before = {**self.__dict__, "_random_state": copy.deepcopy(self._random_state)}
        try:
            for name in ("_held_out", "_refit_epochs"):
                self.__dict__.pop(name, None)
            self.__dict__.update(changes)
            return again()
        except BaseException as error:
            self.__dict__ = before
            if isinstance(error, KeyboardInterrupt):
                self._stopped_by = error
            raise

    def _train_one(self, train, times):
        endings = []

        def noted():
            endings.append(train())
            return endings[-1]

        super()._train(noted, train, times)
        return endings[-1]

    # --- prediction ----------------------------------------------------------------------

    def _this_network(self):
        """What there is of the network at hand, when another is to be trained."""
        return {"theta": self._theta, "state": self._state}

    def _predicted(self, program, data, jobs, layer):
        """The mean of what the networks predict; of a layer, what that of the last returns."""
        if layer is not None:
            return super()._predicted(program, data, jobs, layer)
        networks = [*self._earlier, self._this_network()]
        total = self._predicted_by(networks[0], program, data, jobs)
        for network in networks[1:]:
            total += self._predicted_by(network, program, data, jobs)
        total /= len(networks)
        return total

    def _predicted_by(self, network, program, data, jobs):
        return predict(program, network["theta"], network["state"], data, None, jobs)

    def _remarks(self):
        n = len(self._earlier) + 1
        return (("Networks", f"{n}, each as above"),) if n > 1 else ()

    # --- pickles and files -----------------------------------------------------------------

    def _check_layout(self, program):
        super()._check_layout(program)
        for network in self._earlier:
            arrays = network["theta"], network["state"]
            if [a.shape for a in arrays] != [self._theta.shape, self._state.shape]:
                raise ValueError("networks of unequal size")
            if any(a.dtype != self._theta.dtype or not np.isfinite(a).all() for a in arrays):
                raise ValueError("weights of a network that are none")
            program.check_state(network["state"])

    def __setstate__(self, state):
        if "_earlier" in state:
            of_arrays = ("theta", "state")
            earlier = [
                {**network, **{name: _aligned(network[name]) for name in of_arrays}}
                for network in state["_earlier"]
            ]
            state = {**state, "_earlier": earlier}
        super().__setstate__(state)
