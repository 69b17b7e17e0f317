"""Random configurations: from a seed to an estimator with parameters, and data for it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import sklearn_nn
from helpers.configurations.data import (
    Data,
    count,
    draw_images,
    draw_ragged,
    draw_rows,
    draw_signals,
    draw_table,
    draw_target,
    draw_text,
    draw_whole,
)
from helpers.configurations.layers import LayerDraw
from sklearn_nn import FeatureExtractor, TextGenerator
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.layers import Dropout
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.network.initializers import INITIALIZERS, Normal, Orthogonal, VarianceScaling
from sklearn_nn.training import (
    SGD,
    AbsoluteError,
    Adagrad,
    Adam,
    AdamW,
    Adaptive,
    Cosine,
    EarlyStopping,
    Exponential,
    Huber,
    InverseTime,
    LambdaCallback,
    Lion,
    Listed,
    NAdam,
    OneCycle,
    Plateau,
    Poisson,
    Polynomial,
    Quantile,
    ReduceLROnPlateau,
    RMSprop,
    StepDecay,
    TerminateOnNaN,
    TrainingScore,
)
from sklearn_nn.training.optimizers import OPTIMIZERS
from sklearn_nn.training.schedules import SCHEDULES

_FAMILIES = ("MLP", "CNN", "RNN", "NeuralNetwork", "Tabular", "text", "features", "encoder")
#: How often each is drawn.
_SHARES = (0.18, 0.14, 0.18, 0.3, 0.1, 0.04, 0.04, 0.02)


@dataclass
class Case:
    """A configuration.

    Attributes
    ----------
    seed : int
    estimator : estimator
        Not fitted.
    data : Data
    validation : dict
        `X_val` and so on, for `fit` and `partial_fit`.
    invalid : tuple of (name, value) or None
        A parameter that `fit` must refuse with an error that names it.
    """

    seed: int
    estimator: Any
    data: Data
    validation: dict = field(default_factory=dict)
    invalid: tuple | None = None

    @property
    def network(self):
        """Return the network among the estimators: itself, or the one in a feature extractor."""
        return getattr(self.estimator, "estimator", self.estimator)

    def __str__(self):
        data, target = self.data, "" if self.data.y is None else f", y: {self.data.target}"
        X = data.X
        what = f"{getattr(X, 'dtype', type(X).__name__)} {getattr(X, 'shape', len(X))}"
        if data.kind == "table":
            what = ", ".join(f"{name}: {dtype}" for name, dtype in X.dtypes.items())
        weight = ", weights" if data.weight is not None else ""
        beside = f", {', '.join(self.validation)}" if self.validation else ""
        return (
            f"seed {self.seed}: {self.estimator!r}\n  on {data.kind} ({what}){target}"
            f"{' a step' * data.steps}{weight}{beside}"
        )


def halving(progress):
    """Return the factor of an epoch: a schedule as a function."""
    return 0.5**progress


def slower(epoch, rate):
    """Return a lower rate: a schedule as a function for a callback."""
    return rate * 0.75


def quiet(epoch, log, estimator):
    """Return None: a callback that lets training go on."""
    return False


class CaseDraw:
    """Generator of one configuration."""

    def __init__(self, seed):
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.layers = LayerDraw(self.rng)
        self.one, self.true = self.layers.one, self.layers.true

    def maybe(self, share, value, other):
        """Return a value in a share of the cases, else the other."""
        return value if self.true(share) else other

    def sizes(self, most=3, least=0):
        """Draw sizes of hidden layers in one of the forms that they may come in."""
        sizes = tuple(self.layers.units(9) for _ in range(self.rng.integers(least, most)))
        if len(sizes) == 1 and self.true():
            return sizes[0]
        return list(sizes) if self.true(0.2) else sizes

    # --- what all networks share -------------------------------------------------------------

    def solver(self):
        """Draw a first-order solver."""
        objects = (
            SGD(momentum=0.5, nesterov=True), Adam(beta_1=0.8, beta_2=0.95), Lion(weight_decay=0.1),
            AdamW(weight_decay=0.1), RMSprop(centered=True), RMSprop(momentum=0.5), NAdam(),
            Adagrad(initial_accumulator_value=0.2),
        )  # fmt: skip
        return self.one(*objects) if self.true(0.25) else self.one("adam", *OPTIMIZERS)

    def schedule(self):
        """Draw a learning-rate schedule."""
        objects = (
            Cosine(warmup=1, end=0.1), Cosine(restarts=1), Exponential(0.9), StepDecay(0.5, 2),
            Plateau(0.5, 1), OneCycle(0.25), Polynomial(2.0, 0.1), InverseTime(), Adaptive(),
            Listed([1e-2, 1e-3, 1e-3]), halving,
        )  # fmt: skip
        return self.one("constant", self.one(*objects), self.one(*SCHEDULES))

    def callbacks(self):
        """Draw a list of callbacks, or None."""
        if self.true(0.75):
            return None
        made = (
            TerminateOnNaN(), TrainingScore(), EarlyStopping(patience=2),
            ReduceLROnPlateau("loss", factor=0.5, patience=1), LambdaCallback(quiet),
            LambdaCallback(on_fit_begin=None),
        )  # fmt: skip
        return [self.one(*made) for _ in range(self.rng.integers(0, 3))]

    def training(self):
        """Draw parameters of training by a first-order solver."""
        drawn = {
            "solver": self.solver(),
            "alpha": self.one(1e-4, 0.0, 0.125),
            "learning_rate": self.schedule(),
            "learning_rate_init": self.one(1e-3, 4e-3, 0.0078125),
            "power_t": self.one(0.5, 0.25),
            "max_iter": int(self.rng.integers(1, 5)),
            "tol": self.one(1e-4, 0.0, 0.5),
            "momentum": self.one(0.9, 0.0, 0.5),
            "nesterovs_momentum": self.true(),
            "beta_1": self.one(0.9, 0.5),
            "beta_2": self.one(0.999, 0.875),
            "epsilon": self.one(1e-8, 1e-3),
            "n_iter_no_change": self.one(10, 1, np.inf),
            "l1_ratio": self.one(0.0, 0.0, 0.5, 1.0),
            "max_norm": self.one(0.0, 0.0, 1.5),
            "weight_decay": self.one(None, None, 0.0, 0.125),
            "clipnorm": self.one(0.0, 0.0, 1.0),
            "ema_momentum": self.one(0.0, 0.0, 0.5),
            "learning_rate_factors": self.maybe(0.15, {"output": 0.5}, None),
            "callbacks": self.callbacks(),
            "n_jobs": self.one(None, 1, 2),
            "random_state": int(self.rng.integers(0, 200)),
            "dtype": self.one("float32", "float64"),
        }
        if "warmup=1" in repr(drawn["learning_rate"]):
            drawn["max_iter"] = 4
        # Of all that may be set, some is: else no default would be seen with another.
        share = self.rng.random()
        kept = ("max_iter", "random_state")
        return {k: v for k, v in drawn.items() if k in kept or self.rng.random() < share}

    def of_batches(self, n):
        """Draw further parameters of all networks but generators of texts."""
        drawn = {
            "batch_size": self.one("auto", 1, 4, 5, 16, n),
            "shuffle": self.true(0.8),
            "early_stopping": self.one(False, False, True, "best"),
            "validation_fraction": self.one(0.25, 0.5),
            "n_restarts": self.one(1, 1, 1, 2),
            "dtype": self.one("auto", "float32", "float64"),
        }
        share = self.rng.random()
        kept = {k: v for k, v in drawn.items() if self.rng.random() < share}
        if kept.get("early_stopping"):
            kept["validation_fraction"] = drawn["validation_fraction"]
            kept["scoring"] = self.one(None, None, "loss")
        return kept

    def lbfgs(self, parameters):
        """Draw parameters of training by L-BFGS, which has no batches."""
        unfit = (
            "solver", "learning_rate", "callbacks", "clipnorm", "max_norm", "weight_decay",
            "ema_momentum", "l1_ratio", "learning_rate_factors",
        )  # fmt: skip
        kept = {k: v for k, v in parameters.items() if k not in unfit}
        return {**kept, "solver": "lbfgs"}

    def of_presets(self):
        """Draw parameters of networks that are made from plain ones."""
        names = sorted(set(INITIALIZERS) - {"orthogonal", "ones"})
        weights = self.one(
            "glorot_uniform", *names, "orthogonal", Orthogonal(0.5), Normal(0.0, 0.25)
        )
        biases = self.one("glorot_uniform", *names, VarianceScaling(0.5))
        drawn = {
            "activation": self.one(*HIDDEN_ACTIVATIONS),
            "dropout": self.one(0.0, 0.25),
            "input_noise": self.one(0.0, 0.125),
            "weight_init": weights,
            "bias_init": biases,
        }
        share = self.rng.random()
        return {k: v for k, v in drawn.items() if self.rng.random() < share}

    def of_target(self, data):
        """Draw parameters that go by the kind of target."""
        if data.target in ("classes", "labels"):
            drawn = {
                "loss": self.one("log_loss", "focal"),
                "label_smoothing": self.one(0.0, 0.125),
                "class_weight": self.one(None, "balanced"),
            }
            if data.target == "classes":
                labels = np.concatenate(data.y) if data.steps else data.y
                weighed = {label: 0.5 * k for k, label in enumerate(np.unique(labels).tolist(), 1)}
                drawn["class_weight"] = self.one(drawn["class_weight"], weighed)
            if data.target == "labels":
                del drawn["class_weight"]
        elif data.target == "counts":
            return {"loss": self.one("poisson", Poisson())}
        else:
            names = ("squared_error", "absolute_error", "huber", "quantile", "log_cosh")
            objects = Huber(0.5), Quantile(0.25), AbsoluteError()
            drawn = {"loss": self.one(*names, *objects), "quantile": self.one(0.25, 0.5)}
            if self.true(0.2):
                return {"loss": "quantile", "quantile": self.one([0.125, 0.5, 0.75], [0.25, 0.5])}
        share = self.rng.random()
        return {k: v for k, v in drawn.items() if self.rng.random() < share}

    # --- data --------------------------------------------------------------------------------

    def samples(self):
        """Draw the number of samples."""
        if self.true(0.02):
            return 230  # more than a batch
        return int(self.one(self.rng.integers(16, 41), self.rng.integers(2, 16), 33))

    def with_targets(self, data, classifier, steps=False):
        """Draw targets, and weights of the samples."""
        if classifier:
            data.target = self.one("classes", "classes", "classes", "labels")
        else:
            data.target = self.one("numbers", "numbers", "numbers", "counts")
        n, data.steps = count(data.X), steps
        if steps:
            lengths = [len(item) for item in data.X]
            if data.target == "labels":
                data.target = "classes"
            flat = draw_target(self.rng, sum(lengths), data.target)
            data.y = np.split(flat, np.cumsum(lengths)[:-1])
            if len(set(lengths)) == 1 and self.true():
                data.y = np.stack(data.y)
        else:
            data.y = draw_target(self.rng, n, data.target)
        if self.true(0.25):
            data.weight = self.rng.integers(1, 4, n) / self.one(1.0, 2.0)
            if self.true(0.3) and n > 16:
                data.weight[self.rng.integers(n)] = 0.0
        return data

    def validated(self, case):
        """Return the case with a validation set, or without early stopping if it is too small."""
        data, parameters = case.data, case.network.get_params(deep=False)
        if data.y is None or "early_stopping" not in parameters:
            return case
        n = count(data.X)
        extractor = case.estimator is not case.network
        stops = bool(parameters["early_stopping"])
        lbfgs = parameters.get("solver") == "lbfgs"
        if not lbfgs and (self.true(0.15) or (stops and self.true(0.6))):
            rows = self.rng.permutation(n)[: max(2, n // 3)]
            from helpers.configurations.data import take

            y = take(data.y, rows)
            case.validation = {"X_val": take(data.X, rows), "y_val": y}
            if data.weight is not None and self.true():
                case.validation["sample_weight_val"] = data.weight[rows]
        elif stops and (n < 24 or extractor):
            case.network.set_params(early_stopping=False)
        if lbfgs:
            case.network.set_params(early_stopping=False)
        return case

    # --- each family -------------------------------------------------------------------------

    def estimator(self, family, classifier):
        """Draw a class of estimators."""
        return getattr(sklearn_nn, f"{family}{'Classifier' if classifier else 'Regressor'}")

    def settings(self, data, presets=True):
        """Draw parameters of a network for this data."""
        made = {**self.training(), **self.of_batches(count(data.X)), **self.of_target(data)}
        made |= data.parameters
        if presets:
            made |= self.of_presets()
        return self.lbfgs(made) if self.true(0.12) else made

    def mlp(self, classifier):
        """Draw a multi-layer perceptron."""
        n, width = self.samples(), int(self.rng.integers(1, 8))
        X = draw_rows(self.rng, n, width)
        data = Data("rows", X, draw_rows(self.rng, 9, width, X.dtype.name), (width,))
        self.with_targets(data, classifier)
        parameters = {"hidden_layer_sizes": self.sizes(4), **self.settings(data)}
        if self.true(0.2):
            parameters["batch_norm"] = self.true()
        return self.estimator("MLP", classifier)(**parameters), data

    def images_or_signals(self, convolves=False):
        """Draw images, or signals, for convolutions."""
        n = self.samples()
        if self.true(0.3):
            X = draw_signals(self.rng, n + 7)
            shape = tuple(int(k) for k in X.shape[1:])
            # Without it they are grey images.
            parameters = {"input_shape": shape} if convolves else {}
            return Data("signals", X[7:], X[:7], shape, parameters=parameters)
        X = draw_images(self.rng, n + 7, self.one(2, 3) if convolves else 3)
        shape = X.shape[1:] if X.ndim == 4 else (*X.shape[1:], 1)
        return Data("images", X[7:], X[:7], shape)

    def cnn(self, classifier):
        """Draw convolutions, made from plain parameters."""
        data = self.with_targets(self.images_or_signals(True), classifier)
        n = int(self.rng.integers(1, 3))
        parameters = {
            "filters": self.maybe(0.5, self.layers.units(), tuple(
                self.layers.units() for _ in range(n))),
            "kernel_size": self.one(1, 2, 3),
            "strides": self.one(1, 1, 2),
            "padding": "same",
            "pool_size": self.one(None, 1, 2),
            "pooling": self.one("max", "average"),
            "hidden_layer_sizes": self.sizes(2),
            **self.settings(data),
        }  # fmt: skip
        if self.true(0.3):
            parameters["batch_norm"] = self.true(0.8)
        if self.true(0.2) and min(data.shape[:-1]) > 2:  # no more than one: the next has no room
            parameters |= {"padding": "valid", "filters": 3, "kernel_size": 2, "pool_size": None}
        if self.true(0.3):
            layers = [self.layers.augmentation(data.shape) for _ in range(self.one(1, 2))]
            # Layers are called after their class, as those of the hidden layers are.
            parameters["augmentation"] = [(f"random{i}", x) for i, x in enumerate(layers)]
        if parameters["kernel_size"] == 3 and len(data.shape) == 3 and self.true(0.3):
            parameters["kernel_size"] = [(1, 3)] * len(np.atleast_1d(parameters["filters"]))
        return self.estimator("CNN", classifier)(**parameters), data

    def sequences(self, ragged=None):
        """Draw sequences of equal or unequal length."""
        n, channels = self.samples(), int(self.rng.integers(1, 4))
        if self.true() if ragged is None else ragged:
            X = draw_ragged(self.rng, n, channels)
            query = draw_ragged(self.rng, 6, channels, self.one(7, 12))
            return Data("ragged", X, query, (7, channels))
        X = draw_signals(self.rng, n + 7)
        return Data("signals", X[7:], X[:7], X.shape[1:])

    def rnn(self, classifier):
        """Draw recurrent layers, made from plain parameters."""
        data, steps = self.sequences(), self.true(0.35)
        self.with_targets(data, classifier, steps)
        parameters = {
            "hidden_size": self.layers.units(6),
            "cell": self.one("lstm", "gru", "rnn"),
            "num_layers": self.one(1, 1, 2),
            "bidirectional": self.true(0.3),
            "pooling": self.one("last", "mean", "max", "attention"),
            "hidden_layer_sizes": self.sizes(2),
            "return_sequences": steps,
            **self.settings(data),
        }
        if steps and parameters.get("solver") != "lbfgs" and self.true(0.4):
            parameters |= {"truncation": self.layers.units(6), "bidirectional": False}
        return self.estimator("RNN", classifier)(**parameters), data

    def network_data(self):
        """Draw data for user-defined layers, and a first layer that the data asks for."""
        kind = self.one("rows", "rows", "images", "signals", "ragged", "numbers", "categories")
        if kind == "rows":
            n, width = self.samples(), int(self.rng.integers(1, 8))
            X = draw_rows(self.rng, n + 7, width)
            return Data("rows", X[7:], X[:7], (width,)), []
        if kind == "images":
            return self.images_or_signals(), []
        if kind in ("signals", "ragged"):
            return self.sequences(kind == "ragged"), []
        n = self.samples()
        if kind == "categories":
            sizes = tuple(self.layers.units(4) for _ in range(self.one(1, 2)))
            numbers = int(self.rng.integers(0, 3))
            X = draw_rows(self.rng, n + 7, numbers, "float64")
            codes = [self.rng.integers(0, size, n + 7) for size in sizes]
            X = np.column_stack([X, *codes])
            data = Data("rows", X[7:], X[:7], X.shape[1:])
            return data, [self.layers.categories(sizes)]
        most, steps = int(self.rng.integers(2, 7)), int(self.rng.integers(2, 8))
        ragged = self.true(0.4)
        X = draw_whole(self.rng, n, steps, most, ragged)
        data = Data("numbers", X, draw_whole(self.rng, 6, steps, most, ragged), (steps,))
        return data, [self.layers.lookup(most)]

    def neural_network(self, classifier):
        """Draw a user-defined list of layers."""
        data, first = self.network_data()
        self.with_targets(data, classifier)
        # Where zeros may be padding, sequences may be of unequal length.
        masks = any(layer.padding_value is not None for layer in first)
        self.layers.ragged = isinstance(data.X, list) or masks
        shape = data.shape
        if self.layers.ragged and len(shape) == 2 and self.true(0.7):
            first = [self.layers.recurrent(sequences=True)]
        layers = self.layers.stack(shape, first=first)
        if self.layers.ragged:  # what is read at the end has no steps
            last = self.layers.recurrent(sequences=False)
            named = bool(layers) and isinstance(layers[-1], tuple)
            layers.append(("last", last) if named else last)
        if any(isinstance(layer, Dropout) for layer in layers) and self.true(0.2):
            layers = tuple(layers)
        parameters = self.settings(data, presets=False)
        # Layers with a learning rate of their own are for solvers that have one.
        own = ("NTPLinear", "ScaleFeatures", "PeriodicEmbedding", "ParametricActivation")
        if parameters.get("solver") == "lbfgs" and any(name in str(layers) for name in own):
            del parameters["solver"]
        chosen = layers or self.one(None, [Dropout(0.25)])
        return self.estimator("NeuralNetwork", classifier)(chosen, **parameters), data

    def tabular(self, classifier):
        """Draw a network for tables."""
        X, columns = draw_table(self.rng, self.samples())
        query, _ = draw_table(self.rng, 8, query=True, columns=columns)
        data = self.with_targets(Data("table", X, query, (len(columns),)), classifier)
        own = self.training()
        taken = (
            "learning_rate", "learning_rate_init", "max_iter", "tol", "n_iter_no_change",
            "weight_decay", "callbacks", "n_jobs", "random_state", "learning_rate_factors", "dtype",
        )  # fmt: skip
        parameters = {k: v for k, v in own.items() if k in taken and v is not None}
        parameters |= self.of_target(data)
        drawn = {
            "architecture": self.one("realmlp", "tabm"),
            "n_networks": self.one(1, 1, 2),
            "num_embedding": self.one("auto", "periodic", "piecewise_linear", None),
            "activation": self.one("auto", *HIDDEN_ACTIVATIONS),
            "dropout": self.one("auto", 0.0, 0.25),
            "numeric": self.one("auto", "robust", "quantile"),
            "max_one_hot": self.one("auto", 0, 2, 9),
            "batch_size": self.one("auto", 4, 16),
            "early_stopping": self.one("best", True, False),
            "validation_fraction": self.one(0.25, 0.5),
            "refit_full": self.true(0.3),
            "scoring": self.one("loss", None),
            "categorical_features": self.one("from_dtype", "from_dtype", ["c0"]),
        }
        share = self.rng.random()
        parameters |= {k: v for k, v in drawn.items() if self.rng.random() < share}
        if parameters.get("architecture") == "tabm":
            parameters["n_members"] = int(self.rng.integers(1, 4))
        parameters.setdefault("n_networks", 1)
        parameters["hidden_layer_sizes"] = self.sizes(3, least=1)
        if classifier and self.true(0.3):
            parameters["calibrate"] = self.true()
        if isinstance(parameters.get("categorical_features"), list):
            others = [i for i in X.columns if X[i].dtype.kind not in "if"]
            parameters["categorical_features"] = others or None
        return self.estimator("Tabular", classifier)(**parameters), data

    def text(self, classifier):
        """Draw a generator of texts."""
        X = [draw_text(self.rng, int(k)) for k in self.rng.integers(16, 80, self.one(1, 2, 3))]
        data = Data("text", X, [draw_text(self.rng, 7), "ab", ""], ())
        own = self.training()
        drawn = {
            "cell": self.one("lstm", "gru", "rnn"),
            "num_layers": self.one(1, 2),
            "embedding_size": self.one(None, 2),
            "sequence_length": self.one(3, 10, 100),
            "batch_size": self.one(1, 2, 50),
            "separator": self.one("\n", " "),
            "vocabulary": self.one(None, "abcdefé \n", list("abcdéf \nxyz")),
            "dropout": self.one(0.0, 0.25),
            "early_stopping": self.one(False, True, "best"),
            "validation_fraction": self.one(None, 0.25),
        }
        share = self.rng.random()
        own |= {k: v for k, v in drawn.items() if self.rng.random() < share}
        if own.get("early_stopping") and own.get("validation_fraction", 0.1) == 0:
            del own["validation_fraction"]
        return TextGenerator(self.layers.units(6), **own), data

    def features(self, classifier):
        """Draw a network whose features are extracted."""
        network, data = self.one(self.mlp, self.cnn, self.neural_network)(classifier)
        hidden = [network.get_params().get(name) for name in ("hidden_layer_sizes", "layers")]
        bare = type(network).__name__.startswith(("MLP", "Neural")) and not any(map(np.any, hidden))
        layer = "output" if bare else self.one(None, None, "output")
        return FeatureExtractor(network, layer), data

    def encoder(self, classifier):
        """Draw an encoder of tables."""
        X, columns = draw_table(self.rng, self.samples())
        query, _ = draw_table(self.rng, 8, query=True, columns=columns)
        made = TableEncoder(
            numeric=self.one("robust", "quantile"),
            max_one_hot=self.one(0, 2, 9),
            dtype=self.one("float32", "float64"),
        )
        return made, Data("table", X, query, (len(columns),))

    # --- what is not valid -------------------------------------------------------------------

    def invalid(self, case):
        """Draw an invalid value of a parameter of the case."""
        values = {
            "alpha": (-1.0, "much", None), "learning_rate_init": (0.0, -1, "auto2"),
            "batch_size": (0, -3, 2.5, "all"), "max_iter": (0, -1, 1.5), "tol": (-1.0, None),
            "n_jobs": ("two", 1.5), "dtype": ("float16", np.float32), "solver": ("adams", None),
            "learning_rate": ("cosines", 3), "hidden_layer_sizes": (-1, (3, 0), (2.5,)),
            "activation": ("reluu", None), "early_stopping": ("worst", None),
            "dropout": (1.0, -0.5, [0.1] * 9), "cell": ("lstmm",), "pooling": ("min",),
            "truncation": (0, -1, 1.5), "validation_fraction": (-0.5, 1.5),
            "layers": ([3], "Dense", [("a", None)]), "loss": ("squared", 3),
            "filters": (0, (2, -1), 1.5), "kernel_size": (0, (1, 2, 3, 4)),
            "input_shape": ((0, 1), (3, -1)), "momentum": (2.0,), "clipnorm": (-1.0,),
            "weight_init": ("he",), "callbacks": ([print], 3), "max_one_hot": (-1, 2.5),
            "numeric": ("raw",), "sequence_length": (0, 1.5), "vocabulary": ("", ["ab"]),
        }  # fmt: skip
        known = case.estimator.get_params(deep=False)
        names = [name for name in values if name in known]
        if case.estimator is not case.network or not names:
            return None
        name = self.one(*names)
        return name, self.one(*values[name])

    def case(self):
        """Draw the configuration."""
        family = self.rng.choice(_FAMILIES, p=_SHARES)
        names = {"MLP": "mlp", "CNN": "cnn", "RNN": "rnn", "NeuralNetwork": "neural_network"}
        draw = getattr(self, names.get(family, family.lower()))
        estimator, data = draw(self.true(0.6))
        case = self.validated(Case(self.seed, estimator, data))
        if self.true(0.04):
            case.invalid = self.invalid(case)
        return case


def draw(seed):
    """Return the configuration of a seed."""
    return CaseDraw(seed).case()
