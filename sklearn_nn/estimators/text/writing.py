"""What a network that has learnt a text makes of it: more text."""

from __future__ import annotations

import itertools

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_nn._spec import plain
from sklearn_nn.estimators._core.as_fitted import as_fitted
from sklearn_nn.estimators._inputs.text import encoded
from sklearn_nn.estimators.text.sampling import Reader, check_choice, draw, probabilities
from sklearn_nn.network.source import source


class Writing:
    """Mixin: `sample`, `sample_iter` and `predict_proba`."""

    @as_fitted
    def _reader(self):
        """A reader that has read nothing yet."""
        program = self._trained_program()
        step = source(np.zeros((1, 1), dtype=program.dtype), program.dtype)
        program = self._suited_program(program, step).cut("output")
        with np.errstate(divide="ignore"):  # characters that never came have a probability of 0
            before = np.log(self.character_counts_)
        return Reader(program, self._theta, self._state, before)

    def sample(
        self, n_chars=200, prime="", *, temperature=1.0, top_k=None, top_p=None, random_state=None
    ):
        """Write a text.

        Parameters
        ----------
        n_chars : int, default=200
            Its length.
        prime : str, default=''
            What the network reads first, and goes on from. Where it is empty, the first character
            is drawn as often as it stands in the text that was trained on.
        temperature : float, default=1.0
            What the logits are divided by, 0 or more: below 1 likely characters become likelier, 0
            is always the likeliest; above 1 there is more variety, and more nonsense.
        top_k : int or None, default=None
            Draw from so many of the likeliest characters only.
        top_p : float or None, default=None
            Draw from the likeliest characters only that together have this probability, in (0, 1]
            (nucleus sampling; Holtzman et al., 2020): few where the network is sure, many where it
            is not. Applied to what `top_k` leaves.
        random_state : int, RandomState instance or None, default=None
            Draws the characters.

        Returns
        -------
        text : str
            The new characters, without `prime`.

        Raises
        ------
        NotFittedError
            If the network is not fitted.
        ValueError
            If a parameter is out of its range, or `prime` holds a character that is not in
            `vocabulary_`.
        """
        if n_chars is None:
            raise ValueError("n_chars=None is a text without an end; use sample_iter.")
        choice = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        return "".join(self.sample_iter(n_chars, prime, **choice, random_state=random_state))

    def sample_iter(
        self, n_chars=None, prime="", *, temperature=1.0, top_k=None, top_p=None, random_state=None
    ):
        """Write a text, one character at a time.

        Parameters
        ----------
        n_chars : int or None, default=None
            Its length; None is without an end.
        prime : str, default=''
            As in `sample`.
        temperature : float, default=1.0
            As in `sample`.
        top_k : int or None, default=None
            As in `sample`.
        top_p : float or None, default=None
            As in `sample`.
        random_state : int, RandomState instance or None, default=None
            As in `sample`, which writes the same text.

        Returns
        -------
        characters : iterator of str
            Each character as soon as it is drawn.

        Raises
        ------
        NotFittedError
            If the network is not fitted.
        ValueError
            As in `sample`.
        """
        check_is_fitted(self)
        n_chars, temperature, top_k, top_p = plain((n_chars, temperature, top_k, top_p))
        check_choice(n_chars, temperature, top_k, top_p)
        if not isinstance(prime, str):
            raise TypeError(f"prime={prime!r} is a {type(prime).__name__}; pass a string.")
        rng = check_random_state(random_state)
        reader = self._reader().read(encoded(prime, self.vocabulary_, "prime"))

        def characters():
            for _ in itertools.count() if n_chars is None else range(n_chars):
                code = draw(probabilities(reader.logits, temperature, top_k, top_p), rng)
                yield self.vocabulary_[code]
                reader.read([code])

        return characters()

    def predict_proba(self, X):
        """Probability of each character to come next.

        Parameters
        ----------
        X : str or list of str
            What has been read; each text from its beginning. After an empty one, the
            probabilities are the shares of the characters in the text that was trained on.

        Returns
        -------
        p : ndarray of shape (n_texts, n_characters)
            In the order of `vocabulary_`.

        Raises
        ------
        NotFittedError
            If the network is not fitted.
        ValueError
            If X holds a character that is not in `vocabulary_`.
        """
        check_is_fitted(self)
        codes = self._encoded(X)
        return np.stack([probabilities(self._reader().read(text).logits) for text in codes])
