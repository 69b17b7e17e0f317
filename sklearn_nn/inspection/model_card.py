"""Model card: what a fitted network is, as Markdown."""

import importlib
import inspect

import numpy as np

from sklearn_nn.estimators._core.fitted_network import data_format_of, network_of
from sklearn_nn.inspection._fitted import check_network, fitted_network
from sklearn_nn.inspection.network_summary import HEADINGS, summary
from sklearn_nn.layers.shape import CHANNELS_FIRST

#: Rows of the history that are shown.
_MOST_EPOCHS = 10
#: Classes and names of columns that are shown.
_MOST_NAMES = 20


def model_card(estimator):
    """Describe a fitted network in Markdown: data, layers, training and parameters.

    Parameters
    ----------
    estimator : estimator
        A fitted network, or a pipeline or search that contains one.

    Returns
    -------
    card : str
        Text in Markdown, to be completed by what the model is meant for, and how well it does on
        which test data.

    Raises
    ------
    NotFittedError, TypeError
        If the estimator is not fitted, or is not a network of sklearn_nn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier, model_card
    >>> model = MLPClassifier(10, solver="lbfgs", random_state=0).fit(*load_iris(return_X_y=True))
    >>> print(model_card(model).partition("## Training")[0])  # doctest: +ELLIPSIS
    # MLPClassifier
    <BLANKLINE>
    | Property | Value |
    | :-- | :-- |
    | Made by | sklearn_nn ... |
    | Features | 4 |
    | Classes | 0, 1, 2 |
    | Outputs | 3 |
    | Type of numbers | float64 |
    <BLANKLINE>
    ## Network
    <BLANKLINE>
    | Layer | Type | Output shape | Parameters | Memory |
    | :-- | :-- | :-- | :-- | :-- |
    | dense1 | Dense | (10,) | 50 | 400 B |
    | activation1 | Activation | (10,) | 0 | 0 B |
    | output | Dense | (3,) | 33 | 264 B |
    <BLANKLINE>
    | Total | Value |
    | :-- | :-- |
    | Parameters | 83 (664 B) |
    | Trainable parameters | 83 |
    | Activations per sample | 20 (160 B) |
    <BLANKLINE>
    <BLANKLINE>
    """
    network = fitted_network(estimator)
    check_network(network, "model_card")
    described = summary(network)
    layers = [row._cells() for row in described.rows]
    sections = [
        f"# {type(network).__name__}",
        _table(("Property", "Value"), _properties(estimator, network, described)),
        "## Network",
        _table(HEADINGS, layers),
        _table(("Total", "Value"), described._totals()),
        "## Training",
        *_training(network),
        "## Parameters",
        *_parameters(network),
    ]
    return "\n\n".join(sections) + "\n"


def _cell(value):
    """Return a value as the text of a cell, on one line."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "\\|")


def _table(headings, rows):
    """Return a table in Markdown."""
    lines = [headings, [":--"] * len(headings), *(map(_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(names):
    """Return names in a row, of which the first are shown."""
    shown = ", ".join(map(str, names[:_MOST_NAMES]))
    return shown if len(names) <= _MOST_NAMES else f"{shown}, ... ({len(names)} in all)"


def _steps_before(estimator, network):
    """Return the classes of the steps before a network in pipelines, the first one first."""
    if estimator is network:
        return []
    steps = [step for _, step in getattr(estimator, "steps", [])][:-1]
    inner = getattr(estimator, "best_estimator_", getattr(estimator, "regressor_", None))
    inner = estimator.steps[-1][1] if inner is None else inner
    names = [type(step).__name__ for step in steps if step not in (None, "passthrough")]
    return names + _steps_before(inner, network)


def _shape_of_sample(network):
    """Return the shape of an image or a sequence as X has it; None for a row of features."""
    shape = list(network_of(network).plan.form["shape"])
    if len(shape) == 1:
        return None
    if getattr(vars(network).get("_reader"), "takes_any_length", False):
        shape[0] = "steps"
    if data_format_of(network) == CHANNELS_FIRST:
        shape = [shape[-1], *shape[:-1]]
    return f"({', '.join(map(str, shape))})"


def _properties(estimator, network, described):
    """Yield the rows about the data that the network reads, and what it returns."""
    version = importlib.import_module("sklearn_nn").__version__
    yield "Made by", f"sklearn_nn {version}"
    if steps := _steps_before(estimator, network):
        yield "Steps before it", _listed(steps)
    shape = _shape_of_sample(network)
    if shape is not None:
        yield "Shape of a sample", shape
    elif "n_features_in_" in vars(network):
        yield "Features", network.n_features_in_
    if "feature_names_in_" in vars(network):
        yield "Names of features", _listed([*network.feature_names_in_])
    if "classes_" in vars(network):
        yield "Classes", _listed([*np.ravel(network.classes_)])
    yield "Outputs", network.n_outputs_
    yield "Type of numbers", described.dtype


def _training(network):
    """Return the parts about the last training: its end, and some rows of its history."""
    facts = [("Epochs", network.n_iter_)]
    for name, attribute in (
        ("Best epoch", "best_iteration_"),
        ("Best validation score", "best_validation_score_"),
        ("Last loss", "loss_"),
    ):
        if vars(network).get(attribute) is not None:
            facts.append((name, getattr(network, attribute)))
    if "histories_" in vars(network):
        facts.insert(0, ("Trainings", len(network.histories_)))
    curves = vars(network).get("history_") or {}
    n_epochs = len(next(iter(curves.values()), ()))
    if not n_epochs:
        return [_table(("Property", "Value"), facts)]
    facts.append(("Seconds", sum(curves.get("seconds", ()))))
    shown = sorted({*np.linspace(1, n_epochs, min(n_epochs, _MOST_EPOCHS)).round().astype(int)})
    rows = [(epoch, *(curve[epoch - 1] for curve in curves.values())) for epoch in shown]
    return [_table(("Property", "Value"), facts), _table(("Epoch", *curves), rows)]


def _parameters(network):
    """Return the parameters that differ from their defaults, and what stands for 'auto'."""
    defaults = inspect.signature(type(network)).parameters
    rows = []
    for name, value in network.get_params(deep=False).items():
        used = network._setting(name) if isinstance(value, str) and value == "auto" else value
        if repr(value) != repr(defaults[name].default) or used != value:
            rows.append((name, repr(value) if used is value else f"'auto': {used!r}"))
    told = "The other parameters have their defaults."
    return [_table(("Parameter", "Value"), rows), told] if rows else [told]
