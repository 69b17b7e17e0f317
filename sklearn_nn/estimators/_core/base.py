"""Base classes of all estimators: parameters, training, prediction, transfer and files."""

from __future__ import annotations

import copy
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, fields, replace
from typing import ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    _clone_parametrized,
    _fit_context,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted

from sklearn_nn._spec import DOC_LINKS, doc_page, set_known, set_plain
from sklearn_nn.estimators._core import layer_list, saving, transfer
from sklearn_nn.estimators._core.all_or_nothing import OF_A_FIT
from sklearn_nn.estimators._core.automatic import Usual
from sklearn_nn.estimators._core.callbacks import CallbackSupportMixin, with_callbacks
from sklearn_nn.estimators._core.fit import Fit, is_lbfgs, mode_of
from sklearn_nn.estimators._core.fitted_network import (
    FittedNetwork,
    Plan,
    check_fitted,
    has_weights,
    network_of,
    publish_network,
)
from sklearn_nn.estimators._core.parameters import (
    ACT_AT_ONCE,
    StrOptions,
    estimator_parameters,
    knows_arguments,
    validate,
)
from sklearn_nn.estimators._core.parts import FitMode, versioned
from sklearn_nn.estimators._core.transfer import PRETRAINED, as_names, check_known
from sklearn_nn.estimators._inputs.batches import fit_batches, is_stream
from sklearn_nn.estimators._inputs.reader import InputReader
from sklearn_nn.estimators._inputs.scale import with_scale
from sklearn_nn.estimators._inputs.sequences import is_listed
from sklearn_nn.estimators._inputs.streams import is_stream_of_epochs, predicted_blocks
from sklearn_nn.estimators._targets.codec import LabelCodec, NumberCodec, ScaledNumberCodec
from sklearn_nn.estimators._targets.steps import in_sequences
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers.diagram import chain
from sklearn_nn.network.machine import FewRows
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss, Quantile
from sklearn_nn.training.optimizers import Optimizer
from sklearn_nn.training.schedules import Schedule

_PLAIN = (str, int, float, bool, type(None))
#: Attributes that hold row numbers: those in training, in their last order, those held out for
#: validation, and those held out of both.
_OF_ROWS = ("_order", "_held_out", "_set_aside")


def _compact(rows):
    """Return row numbers as int32 where they fit."""
    return rows if rows is None or rows.size >= 2**31 else rows.astype(np.int32)


@versioned
@estimator_parameters
class BaseNetwork(CallbackSupportMixin, BaseEstimator, ABC):
    """Base of all estimators.

    An estimator has parts: a reader of X (`_reader`), a codec of y (`_codec`), and the fitted
    network (`_network`). Subclasses make reader, codec and layers from the parameters. `Fit`
    performs a fit. Predictions use the parts of the last fit; parameters that are set later do not
    change them.
    """

    # Parameters of training, scikit-learn's first; subclasses add those of networks and losses.
    _: KW_ONLY
    solver: str | Optimizer = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str | Schedule | Callable = "constant"
    learning_rate_init: float | str = 0.001
    power_t: float = 0.5
    max_iter: int | str = 200
    shuffle: bool = True
    random_state: int | np.random.RandomState | None = None
    tol: float = 1e-4
    verbose: bool = False
    warm_start: bool | str = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool | str = False
    validation_fraction: float | None = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    l1_ratio: float = 0.0
    max_norm: float = 0.0
    weight_decay: float | None = None
    clipnorm: float = 0.0
    ema_momentum: float = 0.0
    learning_rate_factors: dict[str, float] | None = None
    scoring: str | Callable | None = None
    n_restarts: int = 1
    callbacks: list[Callback] | Callback | None = None
    n_jobs: int | None = None
    dtype: str = "auto"

    #: Class that performs a fit.
    _fit_kind: ClassVar[type[Fit]] = Fit
    #: Attributes that list one array of each layer, by the name of the array.
    _ARRAY_LISTS: ClassVar[dict[str, str]] = {}
    #: Attributes that are derived from others and left out of pickles.
    _transient: ClassVar[tuple[str, ...]] = ("_views", "_published", "layers_")
    #: scikit-learn's input tags that differ from its defaults.
    _input_tags: ClassVar[dict[str, bool]] = {"sparse": True}
    #: Attributes that a file must have.
    _NEEDED: ClassVar[tuple[str, ...]] = ("n_iter_", "t_", "n_features_in_")
    #: True to train as scikit-learn's MLP: batches are weighted by their numbers of rows in the
    #: loss of an epoch, and the first of equal validation scores is kept.
    _like_scikit_learn: ClassVar[bool] = False
    #: What automatic parameters of training are made from; None without them.
    _usual: ClassVar[Usual | None] = None
    #: Name of the parameter that is a list of layers; theirs are nested parameters.
    _layers_parameter: ClassVar[str | None] = None

    __setattr__ = set_plain
    _doc_link_module, _doc_link_template = DOC_LINKS
    _doc_link_url_param_generator = doc_page

    # --- parts -------------------------------------------------------------------------------

    @abstractmethod
    def _layers(self, reader, n_outputs):
        """Return (name, layer) pairs from the reader's samples to the raw output."""

    @abstractmethod
    def _make_codec(self):
        """Return a new codec of y for the current parameters."""

    def _make_reader(self):
        """Return a new reader of X for the current parameters."""
        return InputReader()

    def _plan(self, reader, codec, dtype):
        """Return the plan of the network for the current parameters, and its program."""
        layers = with_scale(self._layers(reader, codec.n_raw_outputs), reader.scale)
        link = codec.loss.link_layer()
        plan = Plan(layers, link, dtype, reader.form(), channels=reader.channels)
        return self._with_rates(plan, plan.lower(), self.learning_rate_factors)

    def _advise(self, codec):
        """Warn of parameters that are valid, but not what is usually meant, for new targets."""

    def _with_rates(self, plan, program, factors):
        """Return plan and program with the given learning-rate factors of layers."""
        if factors:
            start = vars(self).get("_pretrained") if PRETRAINED in factors else None
            copied = () if start is None else transfer.copied_layers(program, start)
            names = [line.name for line in program.outline]
            plan = replace(plan, rates=transfer.resolve(factors, names, copied))
            program = plan.lower()
        return plan, program

    def _steps(self):
        """Return the arrangement of targets in time, or None for one target per sample."""
        return

    def _setting(self, name):
        """Return the value of a parameter that training uses."""
        value = getattr(self, name)
        is_open = isinstance(value, str) and value == "auto"
        return vars(self).get(f"{name}_", value) if is_open else value  # see `settle`

    def _settings(self):
        """Return the values of all parameters that training uses, by name."""
        return {name: self._setting(name) for name in self._declared_names()}

    def _remarks(self):
        """Return (name, text) pairs that a summary shows in addition to the layers."""
        return ()

    # --- parameters --------------------------------------------------------------------------

    def get_params(self, deep=True):
        """Return the parameters, and with `deep` those of each layer in a list of layers.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include each layer by name, and its parameters as ``name__parameter``.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep and self._layers_parameter is not None:
            params |= layer_list.nested_parameters(self)
        return params

    @available_if(layer_list.has_layers)
    def _sk_visual_block_(self):
        """Return what scikit-learn's diagrams show within the estimator: its list of layers."""
        return chain(layer_list.named_or_none(self))

    def set_params(self, **params):
        """Set parameters.

        Predictions of a fitted estimator do not change: parameters of the network act in the next
        fit. Parameters that a saved file cannot hold, such as a user-defined loss, are restored.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator; layers by name, each a layer or 'passthrough'; and
            parameters of layers, as ``name__parameter``.

        Returns
        -------
        self : object
            The estimator.
        """
        set_known(self, self._set_params, params)
        found = [name for name in vars(self).get("_waits_for", ()) if name in params]
        if found:
            put_back = {name: copy.deepcopy(getattr(self, name)) for name in found}
            self._made_with = {**self._made_with, **put_back}
            self._waits_for = tuple(name for name in self._waits_for if name not in found)
            saving.remake_parts(self)
        return self

    def _set_params(self, **params):
        if self._layers_parameter is not None:
            params = layer_list.set_nested(self, params)
        super().set_params(**params)

    @classmethod
    @functools.cache
    def _get_param_names(cls):
        return super()._get_param_names()

    @classmethod
    @functools.cache
    def _declared_names(cls):
        """Return the names of all parameters, which user-defined constructors may lack."""
        return [field.name for field in fields(cls) if field.init]

    def _validate_params(self):
        """Validate parameters that differ from the declared defaults, which are valid."""
        values = {
            field.name: value
            for field in fields(self)
            if field.init and (value := getattr(self, field.name)) is not field.default
        }
        validate(self._parameter_constraints, values, type(self).__name__)

    def _take_down(self):
        """Record the parameters that the network is made from, for files."""
        self._made_with = {
            name: value if type(value) in _PLAIN else copy.deepcopy(value)
            for name, value in self.get_params(deep=False).items()
            if name not in ACT_AT_ONCE
        }
        vars(self).pop("_waits_for", None)

    def _twin(self):
        """Return a copy with the same attributes; setting them does not affect this estimator."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    # --- fit ---------------------------------------------------------------------------------

    @knows_arguments
    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples, of tabular estimators also a data frame of pandas or polars. C-ordered
            arrays in the type that the network computes in are not copied, nor are arrays of bytes
            (uint8), which are scaled to 0..1 if samples are images or sequences. X may therefore be
            an `np.memmap` of a file that is larger than memory. Or a stream: an iterable that
            yields blocks ``(X, y)`` or ``(X, y, sample_weight)`` each time it is iterated, or a
            function that returns such an iterator. It is read once before training and once an
            epoch, and may be larger than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The targets: class labels in classification, numbers in regression; None with a stream.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples. Samples with zero weight are ignored by tabular estimators.
        X_val, y_val, sample_weight_val : array-like, default=None
            A validation set, in the forms of X, y and sample_weight. With `early_stopping` it takes
            the place of the split; without, its loss and score are recorded in `history_` after
            each epoch. Not used by 'lbfgs'.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is invalid, or if training diverges. If it diverges, the
            weights before the failed epoch are kept, and if a callback raises an error, the weights
            that it was called with; after any other error the estimator is unchanged.
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit_kind(self, mode_of(self), X, y, sample_weight, validation).run()

    def _fit_epoch(self, X, y, sample_weight, validation):
        """Train for one more epoch: partial_fit."""
        return self._fit_kind(self, FitMode.ONE_EPOCH, X, y, sample_weight, validation).run()

    @knows_arguments
    def initialize(self, X, y, sample_weight=None):
        """Build the network for the data and draw its initial weights, without training it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The estimator, which can predict, be saved, and be trained by `partial_fit`.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        self._validate_params()
        return self._fit_kind(self, FitMode.FRESH, X, y, sample_weight).initialize()

    def summary(self):
        """Return a summary of the network, layer by layer: shapes, parameters, memory.

        Returns
        -------
        summary : Summary
            A table, in print and in notebooks.

        Raises
        ------
        NotFittedError
            If there is no network; `initialize` makes one without training it.
        """
        from sklearn_nn.inspection import summary

        return summary(self)

    # --- predict -----------------------------------------------------------------------------

    def _outputs(self, X, layer=None):
        """Check X and yield (source, output after the link), a block of rows at a time.

        With the name of a layer, the output is that of the layer.
        """
        network, steps = network_of(self), self._codec.steps
        jobs = 1 if self.n_jobs is None else resolve_n_jobs(self.n_jobs)
        for data in self._reader.blocks(X, network, self):
            output = self._run(network, data, layer, jobs)
            if not np.isfinite(output).all():
                raise ValueError(
                    "The network's output is not finite for some rows of X, whose values are too"
                    " large for it; scale X as the training data was."
                )
            if steps is not None:
                if layer is None and steps.of_each:
                    output = steps.own_steps(data, output, self._codec.n_raw_outputs)
                else:
                    shape = network.output_shape(layer or network.outline[-1].name)
                    output = steps.own_outputs(data, output, of_steps=len(shape) > 1)
            yield data, output

    def _run(self, network, data, layer, n_jobs):
        """Return the output of the network, or of the named layer, for all rows of a source."""
        return network.run(data, layer, n_jobs)

    def _output(self, X, layer=None):
        """Return the output for all rows of X, of shape (n_samples, n_outputs)."""
        blocks = [output for _, output in self._outputs(X, layer)]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _output_of_few(self, X):
        """Return what `_output` does for few rows in an array of floats; None for any other X.

        None is also returned where `_output` raises an error or warns of X.
        """
        if type(X) is not np.ndarray or X.dtype.char not in "fd":
            return None
        if not self._reader.takes_as_rows(X, self) or not 0 < len(X) <= FewRows.MOST:
            return None
        steps = self._codec.steps
        if (steps is not None and steps.of_each) or hasattr(self, "feature_names_in_"):
            return None
        network = network_of(self)
        if self.n_jobs is not None:
            resolve_n_jobs(self.n_jobs)
        return network.run_few(X)

    def _predict(self, X, decode):
        """Return decoded outputs, as sequences if there is a target for each time step."""
        output = self._output_of_few(X)
        if output is not None:
            return decode(output)
        if is_stream_of_epochs(X):
            return predicted_blocks(X, lambda block: self._predict(block, decode))
        steps, decoded, lengths = self._codec.steps, [], []
        for data, output in self._outputs(X):
            decoded.append(decode(output))
            if steps is not None and steps.of_each:
                even = np.full(data.n_rows, len(output) // max(data.n_rows, 1))
                lengths.append(even if data.lengths is None else data.lengths)
        y = decoded[0] if len(decoded) == 1 else np.concatenate(decoded)
        if not lengths:
            return y
        return in_sequences(y, np.concatenate(lengths), as_list=is_listed(X))

    # --- transfer ----------------------------------------------------------------------------

    def from_pretrained(self, other, layers=transfer.ALL, freeze=None, *, layout=None, names=None):
        """Use the weights of another network as initial weights, in place of random ones.

        The arrays are copied at once. A fitted estimator takes them over immediately, and
        `partial_fit` and warm starts continue from them. Each `fit` without `warm_start` begins
        with them, as do clones, and thus cross-validation and searches; weights of layers that are
        not copied are random.

        Parameters
        ----------
        other : estimator, path or mapping
            A fitted network, a pipeline or search that ends in one, or a file that `save` has
            written. It may have another `dtype`. Or weights from outside: arrays by name, or a file
            of them that ends in .npz, .safetensors, .pth, .pt or .h5; nothing in a file is run.
            They need a network to fit into: call `initialize` or `fit` first.
        layers : {'all', 'body'}, str or list of str, default='all'
            Layers whose parameters and state, such as the running means of
            :class:`~sklearn_nn.layers.BatchNorm`, are copied. 'all' is every layer whose name both
            networks have; the output layer only if its shapes are equal. 'body' is 'all' without
            the output layer, for other targets. A name includes all layers nested in it.
        freeze : 'all', str, list of str or None, default=None
            Layers to :meth:`freeze`; 'all' is those that are copied.
        layout : {'keras', 'torch'} or None, default=None
            Layout of weights from outside: that of Keras 3, or of torch, whose names, order of axes
            and order of gates are converted. None is that of :meth:`save_weights`, with names such
            as "dense1.kernel".
        names : dict of str to str or None, default=None
            Names of layers here, as in `summary`, and in the weights from outside: ``{"conv2d1":
            "features.0"}``. Only these layers are copied. A "*" stands for the name of the array:
            ``{"lstm2": "lstm.*_l1"}`` is not needed for the first layer of an LSTM. None is equal
            names, and every array must be used.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        NotFittedError
            If the other estimator is not fitted.
        TypeError
            If the other estimator is not a network of sklearn_nn.
        ValueError
            If the other network has no such layers, or arrays from outside are missing, misshapen
            or not used: the error lists them. Shapes are compared when this estimator has a
            network, by `fit` at the latest.
        CheckpointError
            If a file cannot be read.
        ImportError
            If the package that reads a kind of file is not installed.
        """
        if transfer.is_outside(other, layout, names):
            start = transfer.from_outside(self, other, layers, layout, names)
        elif layout is not None or names is not None:
            raise TypeError(
                f"layout={layout!r} and names={names!r} are for a mapping of arrays, or a file of "
                f"them, not for {other!r:.80}."
            )
        else:
            start = transfer.pretrained(other, layers, BaseNetwork.load)
        frozen = [] if freeze is None else as_names(freeze, "freeze")
        frozen = self._known_names([PRETRAINED] if freeze == transfer.ALL else frozen)
        if "_network" in vars(self):
            network = self._with_scale_of(start)
            transfer.copy_into(network, start, self._codec)
            self._reader.compare_units(start)
            self._pretrained = start
            self._set_factors(network, self._made_with.get("learning_rate_factors"))
        self._pretrained = start
        if frozen:
            self.freeze(*frozen)
        return self

    def save_weights(self, path, *, layout=None, names=None):
        """Write the weights to a file that other programs read.

        Unlike `save` it writes nothing else: no parameters, no classes, no state of training.
        :meth:`from_pretrained` reads the file. The weights of the output layer of a regressor are
        those for unscaled targets. Of several networks (`n_networks`) it writes that in `layers_`.

        Parameters
        ----------
        path : str or path
            File; its ending chooses the format: .npz, .safetensors (with the package safetensors)
            or .h5 (with h5py). An existing file is replaced.
        layout : {'keras', 'torch'} or None, default=None
            Names, order of axes and order of gates: those of Keras 3, of torch's ``state_dict``,
            or, for None, those of `layers_`, with names such as "dense1.kernel".
        names : dict of str to str or None, default=None
            Names of layers here and in the file, as in :meth:`from_pretrained`; other layers are
            not written. None is the names here.

        Raises
        ------
        NotFittedError
            If there is no network.
        ValueError
            If the ending is unknown, or a layer has no counterpart in the layout.
        ImportError
            If the package that writes the format is not installed.
        OSError
            If the file cannot be written.
        """
        transfer.save_weights(self, path, layout, names)

    def _with_scale_of(self, start):
        """Return a copy of the network that standardizes X as pretrained weights require."""
        network, before = network_of(self), self._reader.scale
        self._reader = self._reader.with_scale_of(start.arrays)
        self._reader.publish(self)
        scale = self._reader.scale
        if (scale is None) == (before is None):
            return network.copy()
        if "_history" in vars(self):  # its weights are of another layout
            self._history.forget_best()
        return network.rebuilt(replace(network.plan, layers=with_scale(network.plan.layers, scale)))

    def _set_factors(self, network, factors):
        """Publish the network with other learning-rate factors of its layers."""
        plan = replace(network.plan, rates=None)
        plan, program = self._with_rates(plan, network.program, factors)
        if not factors:
            program = plan.lower()
        publish_network(self, FittedNetwork.of(plan, program, network.theta, network.state))

    def freeze(self, *names):
        """Exclude layers from training.

        From the next training on, frozen layers are not updated, penalized or clipped. A frozen
        :class:`~sklearn_nn.layers.BatchNorm` uses its running statistics and does not change them.
        Dropout remains active within frozen layers. Frozen layers have a factor of 0 in the
        parameter `learning_rate_factors`, which clones share.

        Parameters
        ----------
        *names : str
            Names of layers. A name includes nested layers; 'pretrained' stands for those that
            :meth:`from_pretrained` copies.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If no layer has such a name; if the estimator is not fitted, `fit` raises it.
        """
        if not names:
            raise ValueError("freeze needs names of layers, as in freeze('conv1', 'conv2').")
        start = vars(self).get("_pretrained")
        copied = () if start is None else start.arrays
        names = self._known_names(names)
        return self._change_factors(lambda factors: transfer.frozen(factors, names, copied))

    def unfreeze(self, *names):
        """Train layers again that were frozen; without names, all of them.

        The next `partial_fit` or resumed fit begins with a new optimizer, because the first updates
        of these layers would be too large with their old moments. To continue from the present
        weights, call `partial_fit`, or `fit` with ``warm_start=True``: any other `fit` begins anew,
        from the weights of :meth:`from_pretrained` or from random ones.

        Parameters
        ----------
        *names : str
            Names of layers, as for :meth:`freeze`.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If no layer has such a name; if the estimator is not fitted, `fit` raises it.
        """
        names = self._known_names(names)
        return self._change_factors(lambda factors: transfer.thawed(factors, names))

    def _known_names(self, names):
        """Return the names as a list; raise ValueError if the network has no layer of a name."""
        names = [name for group in names for name in as_names(group, "names")]
        if "_network" in vars(self):
            known = [line.name for line in network_of(self).outline]
            check_known([name for name in names if name != PRETRAINED], known, "The network")
        return names

    def _change_factors(self, changed):
        """Apply a function to `learning_rate_factors`, and to those of the fitted network."""
        factors = changed(self.learning_rate_factors)
        if "_network" in vars(self):
            # Other parameters of the network act in the next fit.
            own = changed(self._made_with.get("learning_rate_factors"))
            self._set_factors(network_of(self), own)
            self._made_with = {**self._made_with, "learning_rate_factors": own}
        self.learning_rate_factors = factors
        return self

    # --- copies and files --------------------------------------------------------------------

    def save(self, path, *, training_state=True):
        """Save the fitted estimator, by default including the state of its training.

        The file is written under another name and then renamed, so that a complete file, old or
        new, exists under `path` at any time. It holds a checksum, arrays and plain values; loading
        it runs no code.

        Parameters
        ----------
        path : str or path
            The file. If its name ends in ".safetensors", it has the format of the package
            safetensors, which other libraries read, without a checksum; the weights have their
            names in `layers_`, such as "dense1.kernel". Any other file is an archive of arrays, for
            which ".npz" is the usual ending. Endings of other programs, such as ".pth" and ".h5",
            raise a UserWarning: :meth:`save_weights` writes weights for torch and Keras.
        training_state : bool, default=True
            Whether to save what resumed training needs: the optimizer's moments, the best weights
            so far, and the order of the samples. A file without it predicts the same and is about a
            third of the size for 'adam'. An estimator loaded from it cannot resume its training;
            `partial_fit` and warm starts continue from its weights with a new optimizer, and with
            a new search for the best weights.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        OSError
            If the file cannot be written; an existing file is not changed.
        ImportError
            If the name ends in ".safetensors", and safetensors is not installed.
        """
        check_is_fitted(self)
        saving.save(self, path, training_state=training_state)

    @classmethod
    def load(cls, path):
        """Load an estimator that was saved.

        Parameters
        ----------
        path : str or path
            A file that `save` or `ModelCheckpoint` has written.

        Returns
        -------
        estimator : object
            The estimator in the state in which it was saved.

        Raises
        ------
        CheckpointError
            If the file is missing or damaged, was not written by this package, or holds an
            estimator of another class.
        """
        return saving.load(cls, path)

    def _check_loaded(self):
        """Raise ValueError if attributes, now loaded from a file, contradict one another."""

    def __copy__(self):
        """Return a shallow copy, which shares arrays until either estimator is trained.

        Optimizer and history, which training changes in place, are copied.
        """
        copied = type(self).__new__(type(self))
        copied.__setstate__(self.__getstate__())
        if "_optimizer" in vars(copied):
            copied._optimizer = self._optimizer.copy()
        history = vars(copied).get("_history")
        if history is not None:
            copied._history = history.copy()
            renewed = {id(old): copied._history.curves[n] for n, old in history.curves.items()}
            renewed[id(history.curves)] = copied._history.curves
            for name, value in [*vars(copied).items()]:
                if id(value) in renewed:
                    setattr(copied, name, renewed[id(value)])
                elif type(value) is list:  # the histories of several networks
                    setattr(copied, name, [renewed.get(id(item), item) for item in value])
        return copied

    def __sklearn_clone__(self):
        """Return an unfitted estimator with the same parameters and the same pretrained weights."""
        cloned = _clone_parametrized(self)
        if "_pretrained" in vars(self):
            cloned._pretrained = self._pretrained
        return cloned

    def __getstate__(self):
        if "_network" in self.__dict__:
            network_of(self)  # includes arrays that users have replaced
        left_out = {*self._transient, *self._ARRAY_LISTS, *OF_A_FIT}
        if "_network" not in self.__dict__:  # users may set weights before there is a network
            left_out -= {*self._ARRAY_LISTS}
        state = {k: v for k, v in super().__getstate__().items() if k not in left_out}
        return {**state, **{key: _compact(state[key]) for key in _OF_ROWS if key in state}}

    def __setstate__(self, state):
        rows = {key: state[key] for key in _OF_ROWS if state.get(key) is not None}
        rows = {key: array.astype(np.int64) for key, array in rows.items()}
        super().__setstate__({**state, **rows})
        # Parameters that an older version did not have.
        if missing := set(self._get_param_names()).difference(self.__dict__):
            known = inspect.signature(type(self)).parameters
            self.__dict__.update({name: known[name].default for name in missing})
        if "_network" in state:
            publish_network(self, self._network)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = replace(tags.input_tags, **self._input_tags)
        return tags


def _is_trained_by_batches(estimator):
    """Return True; raise AttributeError for L-BFGS, which uses all samples at once."""
    if is_lbfgs(estimator):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


@estimator_parameters
class NetworkClassifier(ClassifierMixin, BaseNetwork):
    """Base of classifiers: binary, multiclass and multilabel targets."""

    _: KW_ONLY
    loss: str | Loss = "log_loss"
    label_smoothing: float = 0.0
    class_weight: dict | str | None = None

    _parameter_constraints: ClassVar[dict] = {
        "loss": [StrOptions(set(CLASSIFICATION_LOSSES)), Loss]
    }

    def _make_codec(self):
        return LabelCodec(self._settings(), self._steps(), as_scikit_learn=self._like_scikit_learn)

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples. Of a stream, as in `fit`, the result is a generator of such arrays, one for
            each block.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class, or for multilabel targets all labels of a probability above
            0.5. With `return_sequences`, an array of shape (n_samples, n_steps, ...), or a list of
            arrays of shape (n_steps, ...) if sequences have unequal lengths.
        """
        check_fitted(self)
        return self._predict(X, self._codec.decode)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples. Of a stream, as in `fit`, the result is a generator of such arrays, one for
            each block.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. With `return_sequences`, an array of shape (n_samples,
            n_steps, n_classes), or a list of arrays of shape (n_steps, n_classes).
        """
        check_fitted(self)
        return self._predict(X, self._codec.probabilities)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples. Of a stream, as in `fit`, the result is a generator of such arrays, one for
            each block.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``, in the same form.
        """
        if is_stream_of_epochs(X):
            return predicted_blocks(X, self.predict_log_proba)
        p = self.predict_proba(X)
        return [np.log(steps) for steps in p] if isinstance(p, list) else np.log(p, out=p)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class BatchClassifier(NetworkClassifier):
    """Base of classifiers with `partial_fit`."""

    @available_if(_is_trained_by_batches)
    @knows_arguments
    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(
        self,
        X,
        y=None,
        sample_weight=None,
        classes=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Update the model with a single epoch over the given data, or batch after batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...), or iterable
            The samples. An iterable other than an array, list or tuple, such as a generator or a
            data loader, yields batches ``(X, y)`` or ``(X, y, sample_weight)``; each is trained on
            as by a call of its own.
        y : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            The classes; None with an iterable.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All classes of this and later calls; required in the first call only.
        X_val, y_val, sample_weight_val : array-like, default=None
            A validation set, scored after the epoch. With `early_stopping` the weights of the best
            score are restored after `n_iter_no_change` calls without a better one.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, if training diverges, or if an iterable yields
            no batch or an invalid one. Training on the batches before it is kept.
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        if is_stream(X):
            return fit_batches(self, X, y, sample_weight, classes=classes, **validation)
        before = self.__dict__.copy()
        try:
            if _check_partial_fit_first_call(self, classes):
                self._codec = self._make_codec().begin(y, self.classes_)
            return self._fit_epoch(X, y, sample_weight, tuple(validation.values()))
        except BaseException:
            if not has_weights(self):  # the first call has failed
                self.__dict__ = before
            raise


def _predicts_quantiles(estimator):
    """Return True; raise AttributeError unless the loss, of the last fit if any, is Quantile."""
    codec = vars(estimator).get("_codec")
    is_named = isinstance(estimator.loss, str) and estimator.loss == Quantile.name
    fitted = codec is not None and "_network" in vars(estimator)
    has = codec.levels is not None if fitted else is_named or isinstance(estimator.loss, Quantile)
    if not has:
        raise AttributeError(
            "predict_quantiles is only available with loss='quantile', such as quantile=[0.05, "
            f"0.5, 0.95], not with loss={estimator.loss!r}."
        )
    return True


@estimator_parameters
class NetworkRegressor(RegressorMixin, BaseNetwork):
    """Base of regressors: one or several numbers per sample."""

    _: KW_ONLY
    loss: str | Loss = "squared_error"
    quantile: float | list[float] = 0.5
    conformal_fraction: float = 0.0

    _parameter_constraints: ClassVar[dict] = {"loss": [StrOptions(set(REGRESSION_LOSSES)), Loss]}

    #: Class of the codec of y.
    _codec_kind: ClassVar[type[NumberCodec]] = NumberCodec

    def _make_codec(self):
        return self._codec_kind(self._settings(), self._steps())

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples. Of a stream, as in `fit`, the result is a generator of such arrays, one for
            each block.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted values; of several quantiles, those of the middle level. With
            `return_sequences`, an array of shape (n_samples, n_steps, ...), or a list of arrays of
            shape (n_steps, ...) where sequences are of unequal length.
        """
        check_fitted(self)
        return self._predict(X, self._codec.decode)

    @available_if(_predicts_quantiles)
    def predict_quantiles(self, X):
        """Predict the quantiles of ``loss='quantile'``, which are in ascending order for any X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, ...)
            The samples. Of a stream, as in `fit`, the result is a generator of such arrays, one for
            each block.

        Returns
        -------
        quantiles : ndarray of shape (n_samples, n_levels) or (n_samples, n_outputs, n_levels)
            The predicted quantiles, in the order of the levels in `quantile`. With
            `return_sequences`, an array of shape (n_samples, n_steps, ...), or a list of arrays of
            shape (n_steps, ...) where sequences are of unequal length. With `conformal_fraction`,
            at least a share a of new targets lies, on average, on or below a level a > 0.5, and at
            least a share 1 - a on or above a level a < 0.5, if new samples are drawn as those that
            were held out.
        """
        check_fitted(self)
        return self._predict(X, self._codec.quantiles)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


class BatchRegressor(NetworkRegressor):
    """Base of regressors with `partial_fit`, which scale targets for training."""

    _codec_kind: ClassVar[type[NumberCodec]] = ScaledNumberCodec

    @available_if(_is_trained_by_batches)
    @knows_arguments
    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(
        self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None
    ):
        """Update the model with a single epoch over the given data, or batch after batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...), or iterable
            The samples. An iterable other than an array, list or tuple, such as a generator or a
            data loader, yields batches ``(X, y)`` or ``(X, y, sample_weight)``; each is trained on
            as by a call of its own.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The targets; None with an iterable.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        X_val, y_val, sample_weight_val : array-like, default=None
            A validation set, scored after the epoch. With `early_stopping` the weights of the best
            score are restored after `n_iter_no_change` calls without a better one.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, if training diverges, or if an iterable yields
            no batch or an invalid one. Training on the batches before it is kept.
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        if is_stream(X):
            return fit_batches(self, X, y, sample_weight, **validation)
        return self._fit_epoch(X, y, sample_weight, tuple(validation.values()))
