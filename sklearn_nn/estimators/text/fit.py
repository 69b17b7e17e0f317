"""Fit of a text: streams to train on, passages to validate on."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._core.fit import Fit
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.estimators._inputs.reader import InputReader
from sklearn_nn.estimators._inputs.text import (
    characters_of,
    check_no_path,
    checked_vocabulary,
    encoded,
    listed_texts,
    short_passages,
    streams,
)
from sklearn_nn.estimators._targets.codec import TargetCodec
from sklearn_nn.training.callbacks import ProgressBar
from sklearn_nn.training.losses import SoftmaxLogLoss
from sklearn_nn.training.trainer import say

#: Value of `validation_fraction=None` with `early_stopping`.
_USUAL_FRACTION = 0.1


class TextReader(InputReader):
    """Reader of texts, as indices of characters in `vocabulary`.

    `window` is the window length in characters. `allowed` are the valid characters; None is those
    of the first text.
    """

    LEARNT = NEEDED = ("vocabulary",)
    PUBLISHED = {"vocabulary": "vocabulary_"}

    def __init__(self, window, allowed):
        self.shape = (window, 1)
        self.allowed = allowed

    def learn_characters(self, text):
        """Set the vocabulary from the first text."""
        allowed = self.allowed
        self.vocabulary = characters_of(text) if allowed is None else checked_vocabulary(allowed)

    def settle(self, estimator):
        """Do nothing: the shape of a window is known."""

    def encoded(self, X):
        """Return the character indices of each text."""
        return [encoded(text, self.vocabulary) for text in listed_texts(X)]

    def form(self):
        """Return the arguments of `lower` that describe a window."""
        return {"shape": self.shape, "carries": True}

    def source(self, samples, dtype, network=None):
        """Return streams in the form that the machine gathers batches from."""
        return samples.source(dtype)

    def check_loaded(self, estimator):
        """Raise ValueError if the vocabulary of a file is invalid."""
        known = self.vocabulary
        if not known or characters_of(known) != known:
            raise ValueError("an invalid vocabulary")


class CharacterCodec(TargetCodec):
    """Codec of targets, which are the indices of the next characters."""

    @property
    def loss(self):
        """Log loss."""
        return SoftmaxLogLoss()

    def publish(self, estimator):
        """Set the public attributes of the estimator."""
        estimator.n_outputs_ = self.n_outputs

    def learn(self, y, mode, estimator, weight=None):
        """Do nothing: the reader has learnt the characters."""

    def encode(self, y):
        """Return the indices of the characters."""
        return y

    def arrange(self, target, weight, lengths):
        """Return targets with an axis for columns."""
        return target[:, :, np.newaxis], weight


class TextFit(Fit):
    """Fit of a text, with an optional validation split at its end."""

    takes_streams = False

    def prepare(self):
        """Read and encode the text, lower the network, and publish counts of characters."""
        est, adds = self.estimator, self.mode is FitMode.ONE_EPOCH
        request = super().prepare()
        counts = np.bincount(self._codes, minlength=len(est.vocabulary_))
        adds = adds and hasattr(est, "n_characters_")
        est.n_characters_ = self._codes.size + (est.n_characters_ if adds else 0)
        est.character_counts_ = counts + (est.character_counts_ if adds else 0)
        return request

    def read(self, reader, codec):
        """Return streams and the characters that follow."""
        est = self.estimator
        check_no_path(self.X)
        check_no_path(self.validation[0], "X_val")
        text, self._held_out = est.separator.join(listed_texts(self.X)), self.validation[0]
        if len(text) < 2:
            found = "an empty text" if not text else "a text of one character"
            raise ValueError(f"X is {found}; pass a text of at least two characters.")
        if self.begins:
            reader.learn_characters(text)
        codec.n_outputs = len(reader.vocabulary)
        if self._held_out is None and self.mode is not FitMode.ONE_EPOCH:
            text, self._held_out = self._divided(text)
        if self.mode is FitMode.RESUMED and len(text) != est._text_length:
            raise ValueError(
                f"X has {len(text)} characters to train on, but the training to resume had "
                f"{est._text_length}; pass the same text, or fit with warm_start=True to continue "
                "with another."
            )
        self._codes, est._text_length = encoded(text, reader.vocabulary), len(text)
        found = streams(self._codes, est.batch_size, est.sequence_length)
        return found, None, found.targets, None

    def _divided(self, text):
        """Return the text to train on, and the held-out end or None."""
        est = self.estimator
        fraction = est.validation_fraction
        if fraction is None:
            fraction = _USUAL_FRACTION if est.early_stopping else 0
        if not fraction:
            return text, None
        n = len(text) - round(fraction * len(text))
        if min(n, len(text) - n) < 2:
            raise ValueError(
                f"validation_fraction={fraction} leaves {n} of {len(text)} characters to train on, "
                "but both parts need two; pass a longer text, another fraction, or X_val."
            )
        return text[:n], [text[n:]]

    def read_validation(self, reader, codec, dtype):
        """Return source, rows, target and weight of the validation text, or None."""
        texts, window = self._held_out, self.estimator.sequence_length
        if texts is None:
            return None
        try:
            found = short_passages(reader.encoded(texts), window)
        except ValueError as error:
            raise ValueError(f"The validation text (X_val): {error}") from error
        source = found.source(dtype, window)
        return source, np.arange(source.n_rows), *found.targets(window)

    def trainer(self, request):
        """Return the trainer."""
        est, once = self.estimator, self.mode is FitMode.ONE_EPOCH
        if est.early_stopping and request.validation is None and not once:
            raise ValueError(
                f"early_stopping={est.early_stopping!r} needs a validation text: set "
                "validation_fraction=0.1, for example, or pass X_val."
            )
        trainer = super().trainer(request)
        if est.verbose and not once:
            say(f"{est.n_parameters_:,} parameters, {est.n_characters_:,} characters")
        return trainer

    def batch_size(self, n_samples):
        """Return the number of streams, which are read in parallel."""
        return n_samples

    def progress_bar(self, n_rows):
        """Return the progress bar for a terminal."""
        est = self.estimator
        return ProgressBar(est.max_iter, est.n_characters_, "characters")
