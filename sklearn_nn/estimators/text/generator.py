"""TextGenerator: a recurrent network that learns a text character by character, and writes."""

from __future__ import annotations

import itertools
import math
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn._spec import plain
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.callbacks import with_callbacks
from sklearn_nn.estimators._core.fit import mode_of
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._core.weights import check_fitted, network_of
from sklearn_nn.estimators._inputs.text import encoded, whole_passages
from sklearn_nn.estimators._presets import dropout_rates
from sklearn_nn.estimators.rnn_layers import COUNT, RECURRENT_CONSTRAINTS, recurrent_layers
from sklearn_nn.estimators.text.fit import CharacterCodec, TextFit, TextReader
from sklearn_nn.estimators.text.sampling import Reader, check_choice, draw, probabilities
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers import Dense, Dropout, TimeDistributed
from sklearn_nn.layers.embedding import Embedding, OneHot
from sklearn_nn.network.machine import Predictor
from sklearn_nn.network.source import source
from sklearn_nn.training.optimizers import OPTIMIZERS, Optimizer

#: Parameters of training that have no sense where one text is read in its order.
_NOT_OF_TEXT = {
    "shuffle",
    "max_fun",
    "input_noise",
    "batch_norm",
    "weight_init",
    "bias_init",
    "scoring",
    "n_restarts",
}


class TextGenerator(BaseNetwork):
    """Character-level language model: a recurrent network that learns text, and writes more of it.

    At every character the network tells how likely each character is to come next; it is trained
    on what did come next (Karpathy, 2015). What it has learnt is read off by drawing a character,
    letting the network read it, drawing the next, and so on.

    The text is cut into `batch_size` streams that are read side by side, in windows of
    `sequence_length` characters. Layers remember from window to window, and gradients go back to
    the beginning of each (truncated back-propagation through time; Williams & Peng, 1990).

    Parameters
    ----------
    hidden_size : int, default=128
        Number of units of each recurrent layer.
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Which recurrent layer, as in :class:`RNNClassifier`.
    num_layers : int, default=2
        Number of recurrent layers.
    embedding_size : int or None, default=None
        Length of a vector for each character, which is learnt. None is a one among zeros (one-hot).
    sequence_length : int, default=100
        Characters of a window, at most. Windows are made of one length, the largest that fills the
        streams.
    batch_size : int, default=50
        Number of streams. They are fewer where they would be shorter than a window, and may
        overlap by less than a window, so that every window is full.
    separator : str, default='\\n'
        What stands between texts, where `fit` gets several.
    vocabulary : str, list of str or None, default=None
        All characters that may ever come. None is those of the text that is fitted, held-out end
        included; any other is an error afterwards.
    dropout : float or list of float, default=0.0
        Share of the outputs of each recurrent layer that is set to zero while training, in [0, 1);
        one for all layers, or one for each.
    solver : str or Optimizer, default='adam'
        A first-order solver, as in :class:`MLPClassifier`.
    alpha : float, default=0.0
        Strength of the penalty (L2, unless `l1_ratio` says otherwise), which is divided by the
        number of characters of a batch.
    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate, as in :class:`MLPClassifier`.
    learning_rate_init : float, default=0.005
        The initial learning rate.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=50
        Most epochs: times that the text is read.
    random_state : int, RandomState instance or None, default=None
        Draws the initial weights and dropout. The same number gives the same weights to the last
        bit, for any `n_jobs`.
    tol : float, default=1e-4
        Smallest change of the training loss, or of the validation loss with `early_stopping`, that
        counts as an improvement.
    verbose : bool, default=False
        Whether to say how many parameters there are for how many characters, and to show progress.
    warm_start : bool or 'resume', default=False
        Whether `fit` goes on from the weights of the last call, as in :class:`MLPClassifier`.
    momentum : float, default=0.9
        Momentum of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'best', default=False
        Whether to stop when the loss of the held-out text (or of `X_val` of `fit`) no longer
        improves, and to keep the best weights. 'best' does not stop early, and keeps the best
        weights.
    validation_fraction : float or None, default=None
        Share of the text, its end, that is held out to validate on, in [0, 1); also without
        `early_stopping`. None is 0.1 with it, and nothing without.
    beta_1 : float, default=0.9
        How much of their mean of gradients 'adam', 'adamw', 'nadam' and 'adamax' keep at each
        step, in [0, 1).
    beta_2 : float, default=0.999
        How much of their mean of squared gradients they keep at each step, in [0, 1).
    epsilon : float, default=1e-8
        What they add to the divisor.
    n_iter_no_change : int, default=10
        Training stops after more than this many epochs without an improvement of `tol`. Without
        early stopping, schedules that plan the end, such as 'onecycle', are not cut short.
    l1_ratio : float, default=0.0
        Share of the penalty that is L1, in [0, 1]; the rest is L2.
    max_norm : float, default=0.0
        Largest norm of the weights that lead to one unit; 0 is no limit.
    weight_decay : float or None, default=None
        Share of each weight, times the learning rate, that every step takes away apart from the
        gradient (decoupled decay). None is the solver's own: 0.01 for 'adamw', 0 for the others.
    clipnorm : float, default=1.0
        Largest norm of the gradient of all parameters together; 0 is no limit.
    ema_momentum : float, default=0.0
        Where positive, the fitted weights are a running average of those that training went
        through, of which so much is kept at each step, in [0, 1).
    learning_rate_factors : dict of str to float or None, default=None
        Factors on the learning rate by name of layer, as in :class:`MLPClassifier`; 0 freezes one.
    callbacks : list of Callback or None, default=None
        Called at every epoch; see :mod:`sklearn_nn.training`.
    n_jobs : int, default=None
        Threads of one fit; None is 1, -1 all cores. Never more than there are cores.
    dtype : {'float32', 'float64'}, default='float32'
        The type to compute in.

    Attributes
    ----------
    vocabulary_ : str
        The characters that the network knows, in their order.
    character_counts_ : ndarray of shape (n_characters,)
        How often each of them stands in the text that was trained on.
    n_parameters_ : int
        Number of parameters. It should be of the order of `n_characters_` (Karpathy, 2015).
    n_characters_ : int
        Length of the text that was trained on; `partial_fit` adds up.
    layers_ : dict of str to dict of str to ndarray
        Weights by layer and name. Writing into them changes what is predicted.
    history_ : dict of str to list of float
        Figures of every epoch, lists of equal length: 'loss', 'learning_rate', 'seconds', and with
        a validation text 'val_loss' and 'val_score', which is minus 'val_loss'. Losses are in nats
        per character.
    loss_curve_ : list of float
        Training loss of every epoch.
    validation_loss_curve_ : list of float or None
        Validation loss of every epoch. The text is read in passages side by side, each behind a
        window that is read and not scored; `score` reads it as a whole.
    best_iteration_ : int
        The epoch of the smallest validation loss with `early_stopping`, else of the smallest loss.
    n_iter_ : int
        Number of epochs.

    See Also
    --------
    RNNClassifier : Classes of sequences of numbers, or of each of their steps.

    References
    ----------
    Karpathy, A. (2015). The unreasonable effectiveness of recurrent neural networks.
    https://karpathy.github.io/2015/05/21/rnn-effectiveness/

    Williams, R. J., & Peng, J. (1990). An efficient gradient-based algorithm for on-line training
    of recurrent network trajectories. Neural Computation 2(4).

    Holtzman, A., et al. (2020). The curious case of neural text degeneration. ICLR.

    Examples
    --------
    >>> from sklearn_nn import TextGenerator
    >>> text = "the cat sat on the mat and looked at the hat. " * 40
    >>> model = TextGenerator(32, num_layers=1, sequence_length=20, batch_size=8,
    ...                       learning_rate_init=0.02, random_state=0).fit(text)
    >>> model.sample(24, prime="the cat sat ", temperature=0)
    'on the mat and looked at'
    >>> model.perplexity(text) < 1.2
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **RECURRENT_CONSTRAINTS,
        "embedding_size": [*COUNT, None],
        "sequence_length": COUNT,
        "separator": [str],
        "vocabulary": [str, "array-like", set, None],
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k not in _NOT_OF_TEXT},
        "solver": [StrOptions(set(OPTIMIZERS)), Optimizer],
        "batch_size": COUNT,
        "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self,
        hidden_size=128,
        *,
        cell="lstm",
        num_layers=2,
        embedding_size=None,
        sequence_length=100,
        batch_size=50,
        separator="\n",
        vocabulary=None,
        dropout=0.0,
        solver="adam",
        alpha=0.0,
        learning_rate="constant",
        learning_rate_init=0.005,
        power_t=0.5,
        max_iter=50,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=None,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        l1_ratio=0.0,
        max_norm=0.0,
        weight_decay=None,
        clipnorm=1.0,
        ema_momentum=0.0,
        learning_rate_factors=None,
        callbacks=None,
        n_jobs=None,
        dtype="float32",
    ):
        self.hidden_size = hidden_size
        self.cell = cell
        self.num_layers = num_layers
        self.embedding_size = embedding_size
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        self.separator = separator
        self.vocabulary = vocabulary
        self.dropout = dropout
        self.solver = solver
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.ema_momentum = ema_momentum
        self.learning_rate_factors = learning_rate_factors
        self.callbacks = callbacks
        self.n_jobs = n_jobs
        self.dtype = dtype

    # A text is read in its order, and judged by its loss; there are no samples to draw.
    shuffle = False
    scoring = "loss"
    n_restarts = 1
    _fit_kind = TextFit
    _NEEDED = ("n_iter_", "t_", "character_counts_", "n_characters_")

    def _make_reader(self):
        return TextReader(self.sequence_length, self.vocabulary)

    def _make_codec(self):
        return CharacterCodec(self._settings())

    def _layers(self, reader, n_outputs):
        n, size = n_outputs, self.embedding_size
        first = ("onehot", OneHot(n)) if size is None else ("embedding", Embedding(n, size))
        rates = dropout_rates(self.dropout, self.num_layers)
        layers = [first, *recurrent_layers(self.cell, self.hidden_size, rates)]
        if rates[-1]:
            layers.append((f"{self.cell}dropout{self.num_layers}", Dropout(rates[-1])))
        return [*layers, ("output", TimeDistributed(Dense(n)))]

    def _remarks(self):
        return (("Characters of the text", f"{self.n_characters_:,}"),)

    def _check_loaded(self):
        counts = self.character_counts_
        if counts.shape != (len(self._reader.vocabulary),):
            raise ValueError("counts of other characters")
        if self._codec.n_outputs != counts.size:
            raise ValueError("outputs for other characters")
        if not (counts >= 0).all() or not counts.any():
            raise ValueError("counts of characters that are none")

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(self, X, y=None, *, X_val=None):
        """Learn a text.

        Parameters
        ----------
        X : str or list of str
            The text. Several are joined, with `separator` between them.
        y : None
            Not used; scikit-learn's searches pass it.
        X_val : str or list of str, default=None
            A text to validate on, in place of the end of X. Of several, each is read from its
            beginning.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            If X or X_val is no text.
        ValueError
            If a parameter is not valid, a text has less than two characters, or there is a
            character that `vocabulary` does not have; or if training diverges. In the last case the
            weights from before the epoch that diverged are kept, and where a callback raises what
            it was called with; otherwise the estimator is as it was before.
        """
        validation = X_val, None, None
        return TextFit(self, mode_of(self), X, None, None, validation).run()

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(self, X, y=None, *, X_val=None):
        """Read a text once, and learn from it.

        Parameters
        ----------
        X : str or list of str
            The text, as in `fit`. The first call settles which characters there are; pass all that
            will ever come as `vocabulary`. Nothing is held out.
        y : None
            Not used.
        X_val : str or list of str, default=None
            A text to validate on.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        TypeError
            If X or X_val is no text.
        ValueError
            As in `fit`; or if there is `early_stopping` without X_val.
        """
        return self._fit_epoch(X, None, None, (X_val, None, None))

    def initialize(self, X, y=None):
        """Build the network for the characters of a text and draw its first weights.

        Parameters
        ----------
        X : str or list of str
            The text.
        y : None
            Not used.

        Returns
        -------
        self : object
            The estimator, which is not trained.

        Raises
        ------
        TypeError
            If X is no text.
        ValueError
            If a parameter is not valid, or the text is not, as in `fit`.
        """
        return super().initialize(X, None)

    def _mean_loss(self, X):
        """Return the loss per character, every text read from its beginning."""
        network, window = network_of(self), self._reader.shape[0]
        losses = weights = 0.0
        for passages in whole_passages(self._reader.encoded(X)).blocks():
            data = passages.source(network.dtype, window)
            target, weight = passages.targets(window)
            program = network.program_for(data)
            targets = self._codec.loss.targets(target, weight, network.dtype)
            jobs = resolve_n_jobs(self.n_jobs)
            predictor = Predictor(program, data, None, targets, jobs, keeps_output=False)
            predictor.run(network.theta, network.state)
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

    def _text_reader(self):
        """Return a reader that has read nothing yet."""
        network = network_of(self)
        step = source(np.zeros((1, 1), dtype=network.dtype), network.dtype)
        program = network.program_for(step).cut("output")
        with np.errstate(divide="ignore"):  # characters that never came have a probability of 0
            before = np.log(self.character_counts_)
        return Reader(program, network.theta, network.state, before)

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
        check_fitted(self)
        n_chars, temperature, top_k, top_p = plain((n_chars, temperature, top_k, top_p))
        check_choice(n_chars, temperature, top_k, top_p)
        if not isinstance(prime, str):
            raise TypeError(f"prime={prime!r} is a {type(prime).__name__}; pass a string.")
        rng = check_random_state(random_state)
        reader = self._text_reader().read(encoded(prime, self.vocabulary_, "prime"))

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
        check_fitted(self)
        codes = self._reader.encoded(X)
        return np.stack([probabilities(self._text_reader().read(text).logits) for text in codes])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = False
        return tags
