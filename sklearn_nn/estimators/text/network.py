"""How a network is fitted to text: what is read, what is held out, what is counted."""

from __future__ import annotations

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_nn.estimators._core.as_fitted import as_fitted
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._inputs.forms import Forms
from sklearn_nn.estimators._inputs.text import (
    characters_of,
    checked_vocabulary,
    encoded,
    listed_texts,
    short_passages,
    streams,
    whole_passages,
)
from sklearn_nn.estimators._presets import dropout_rates
from sklearn_nn.estimators.rnn_layers import recurrent_layers
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers import Dense, Dropout, TimeDistributed
from sklearn_nn.layers.embedding import Embedding, OneHot
from sklearn_nn.network.machine import Predictor
from sklearn_nn.training.losses import SoftmaxLogLoss
from sklearn_nn.training.progress import ProgressBar
from sklearn_nn.training.trainer import say

#: What `validation_fraction=None` is with `early_stopping`.
_USUAL_FRACTION = 0.1


class TextNetwork(Forms, BaseNetwork):
    """A network that reads characters one after another, and at each tells what comes next."""

    # A text is read in its order, and judged by its loss; there are no samples to draw.
    shuffle = False
    scoring = "loss"
    n_restarts = 1

    # --- the network ---------------------------------------------------------------------

    def _has_weights(self):
        return hasattr(self, "layers_")

    def _sample_shape(self):
        return (self.sequence_length, 1)

    def _form(self):
        return {"shape": self._sample_shape(), "carries": True}

    def _loss(self):
        return SoftmaxLogLoss()

    def _layers(self):
        n, size = self.n_outputs_, self.embedding_size
        first = ("onehot", OneHot(n)) if size is None else ("embedding", Embedding(n, size))
        rates = dropout_rates(self.dropout, self.num_layers)
        layers = [first, *recurrent_layers(self.cell, self.hidden_size, rates)]
        if rates[-1]:
            layers.append((f"{self.cell}dropout{self.num_layers}", Dropout(rates[-1])))
        return [*layers, ("output", TimeDistributed(Dense(n)))]

    def _remarks(self):
        return (("Characters of the text", f"{self.n_characters_:,}"),)

    # --- what is read --------------------------------------------------------------------

    def _prepare(self, X, y, sample_weight, validation, goes_on):
        X_val = None if validation is None else validation[0]
        text = self.separator.join(listed_texts(X))
        if len(text) < 2:
            found = "an empty text" if not text else "a text of one character"
            raise ValueError(f"X is {found}; a text of two characters or more is needed.")
        if goes_on in (None, "restarted") or not self._has_weights():
            given = self.vocabulary
            self.vocabulary_ = characters_of(text) if given is None else checked_vocabulary(given)
        if X_val is None and goes_on != "incremental":
            text, X_val = self._divided(text)
        if goes_on == "resumed" and len(text) != self.n_characters_:
            raise ValueError(
                f"X has {len(text)} characters to train on, but training that is resumed had "
                f"{self.n_characters_}; pass the same text, or fit with warm_start=True to go on "
                "with another."
            )
        codes = encoded(text, self.vocabulary_)
        prepared = super()._prepare(codes, None, None, (X_val, None, None), goes_on)
        self._count(codes, adds=goes_on == "incremental" and hasattr(self, "n_characters_"))
        return prepared

    def _count(self, codes, *, adds):
        """Publish how much text there is, and of which characters."""
        counts = np.bincount(codes, minlength=len(self.vocabulary_))
        self.n_characters_ = codes.size + (self.n_characters_ if adds else 0)
        self.character_counts_ = counts + (self.character_counts_ if adds else 0)

    def _divided(self, text):
        """The text to train on, and the end that is held out; None if there is none."""
        fraction = self.validation_fraction
        if fraction is None:
            fraction = _USUAL_FRACTION if self.early_stopping else 0
        if not fraction:
            return text, None
        n = len(text) - round(fraction * len(text))
        if min(n, len(text) - n) < 2:
            raise ValueError(
                f"validation_fraction={fraction} leaves {n} of {len(text)} characters to train on, "
                "and both parts need two; pass a longer text, another share, or X_val."
            )
        return text[:n], [text[n:]]

    def _validate(self, X, y, *, reset):
        found = streams(X, self.batch_size, self.sequence_length)
        return found, found.targets

    def _learn_target(self, y, how):
        self.n_outputs_ = len(self.vocabulary_)

    def _encode_target(self, y):
        return y

    def _decode_target(self, target):
        return target

    def _arrange_targets(self, target, weight, X):
        return target[:, :, np.newaxis], weight

    def _encode_rows(self, X, dtype):
        return X.source(dtype)

    def _needed(self):
        return (*super()._needed(), "vocabulary_", "character_counts_", "n_characters_")

    def _check_target_kind(self):
        known = self.vocabulary_
        if not isinstance(known, str) or characters_of(known) != known or not known:
            raise ValueError("a vocabulary that is none")
        if len(known) != self.n_outputs_ or self.character_counts_.shape != (len(known),):
            raise ValueError("counts of other characters")
        if not (self.character_counts_ >= 0).all() or not self.character_counts_.any():
            raise ValueError("counts of characters that are none")

    # --- training ------------------------------------------------------------------------

    def _batch_size(self, n_samples):
        return n_samples  # all streams are read side by side

    def _trainer(self, program, data, target, weight, validation, goes_on):
        if self.early_stopping and validation is None and goes_on != "incremental":
            raise ValueError(
                f"early_stopping={self.early_stopping!r} needs a text to validate on: set "
                "validation_fraction=0.1, say, or pass X_val."
            )
        trainer = super()._trainer(program, data, target, weight, validation, goes_on)
        if self.verbose and goes_on != "incremental":
            say(f"{self.n_parameters_:,} parameters, {self.n_characters_:,} characters")
        return trainer

    def _progress_bar(self, n_rows):
        return ProgressBar(self.max_iter, self.n_characters_, "characters")

    def _validation_score(self, target, output, sample_weight):
        raise AssertionError("a text is judged by its loss")

    def _check_validation(self, validation, dtype):
        texts, window = validation[0], self.sequence_length
        if texts is None:
            return None
        try:
            found = short_passages(self._encoded(texts), window)
        except ValueError as error:
            raise ValueError(f"The validation text (X_val): {error}") from error
        data = found.source(dtype, window)
        return data, np.arange(data.n_rows), *found.targets(window)

    # --- what was learnt -----------------------------------------------------------------

    def _encoded(self, X):
        """Each text's characters by number."""
        return [encoded(text, self.vocabulary_) for text in listed_texts(X)]

    @as_fitted
    def _mean_loss(self, X):
        """The loss per character, every text read from its beginning."""
        program, window = self._trained_program(), self.sequence_length
        losses = weights = 0.0
        for passages in whole_passages(self._encoded(X)).blocks():
            data = passages.source(program.dtype, window)
            target, weight = passages.targets(window)
            suited = self._suited_program(program, data)
            targets = self._loss().targets(target, weight, program.dtype)
            jobs = resolve_n_jobs(self.n_jobs)
            predictor = Predictor(suited, data, None, targets, jobs, keeps_output=False)
            predictor.run(self._theta, self._state)
            losses += predictor.losses.sum()
            weights += passages.lengths.sum()
        return float(losses / weights)

    def score(self, X, y=None):
        """Minus the mean loss per character, in nats; the larger, the better.

        Each text is read as a whole, from its beginning, and its first character is not counted.

        Parameters
        ----------
        X : str or list of str
            The text. Several are not joined.
        y : None
            Not used.

        Returns
        -------
        score : float
            The mean logarithm of the probability that each character had before it came. Divided by
            ln 2 it is minus the bits per character.

        Raises
        ------
        NotFittedError
            If the network is not fitted.
        ValueError
            If X holds a character that is not in `vocabulary_`, or no text of two characters.
        """
        check_is_fitted(self)
        return -self._mean_loss(X)

    def perplexity(self, X):
        """Among how many equally likely characters it is as hard to choose.

        Parameters
        ----------
        X : str or list of str
            The text, as in `score`.

        Returns
        -------
        perplexity : float
            ``exp(-score(X))``: 1 where every character was certain, `len(vocabulary_)` where
            nothing is known.

        Raises
        ------
        NotFittedError
            If the network is not fitted.
        ValueError
            As in `score`.
        """
        return math.exp(-self.score(X))
