"""Summaries: the right numbers, as text, HTML and frame."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier, NeuralNetworkClassifier
from sklearn_nn.inspection import Summary, SummaryRow, summary
from sklearn_nn.inspection.network_summary import _format_bytes


class Line(NamedTuple):
    name: str
    layer: str
    output_shape: tuple
    n_parameters: int
    n_state: int


def placed(size, rate=1.0):
    return SimpleNamespace(parameter=SimpleNamespace(size=size, rate=rate))


class Fitted(NeuralNetworkClassifier):
    """An estimator with a network that is made up."""


@pytest.fixture
def network():
    """A convolution that is frozen, running means, a name that HTML could misread."""
    program = SimpleNamespace(
        dtype="float32",
        width=12_345,
        outline=[
            Line("conv2d1", "Conv2D", (26, 26, 32), 320, 0),
            Line("batchnorm1", "BatchNorm", (26, 26, 32), 64, 64),
            Line("<b>&", "Flatten", (21632,), 0, 0),
            Line("output", "Dense", (np.int64(100),), 2_163_300, 0),
        ],
        frozen=("conv2d1", "<b>&"),
        parameters=[placed(320, 0.0), placed(64), placed(2_163_200), placed(100)],
    )
    model = Fitted()
    model.layers_, model._published = {}, []
    model._network = SimpleNamespace(program=program, places=[])
    return model


TEXT = """\
Fitted (float32)

Layer       Type            Output shape  Parameters   Memory
-------------------------------------------------------------
conv2d1     Conv2D, frozen  (26, 26, 32)         320  1.2 KiB
batchnorm1  BatchNorm       (26, 26, 32)          64    512 B
<b>&        Flatten         (21632,)               0      0 B
output      Dense           (100,)         2,163,300  8.3 MiB
-------------------------------------------------------------
Parameters:             2,163,684 (8.3 MiB)
Trainable parameters:   2,163,364
Frozen parameters:      320
State:                  64 (256 B)
Activations per sample: 12,345 (48.2 KiB)"""


def test_text(network):
    assert str(summary(network)) == TEXT
    assert repr(summary(network)) == TEXT


def test_numbers(network):
    table = summary(network)
    assert isinstance(table, Summary)
    assert table.rows[1] == SummaryRow("batchnorm1", "BatchNorm", (26, 26, 32), 64, 512)
    assert table.n_parameters == 2_163_684
    assert table.n_trainable == 2_163_364
    assert table.n_frozen == 320
    assert [row.is_frozen for row in table.rows] == [True, False, False, False]
    assert table.n_state == 64
    assert table.parameter_bytes == 4 * 2_163_684
    assert table.activation_bytes == 4 * 12_345


class Cells(HTMLParser):
    """The cells of a table, and whether all that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.scopes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.scopes += [value for name, value in attrs if name == "scope"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.cells.append((self.open[-1], data))


def test_html(network):
    page = summary(network)._repr_html_()
    parser = Cells()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    assert parser.cells[0] == ("caption", "Fitted (float32)")
    assert "<b>" not in page
    assert ("th", "<b>&") in parser.cells  # escaped, and read back
    assert ("td", "2,163,300") in parser.cells
    # Every cell that heads others says so, for screen readers.
    assert parser.scopes == ["col"] * 5 + ["row"] * (4 + 5)
    assert len(re.findall("<thead>|<tbody>|<tfoot>", page)) == 3


def test_frame(network):
    pytest.importorskip("pandas", reason="data frames; pandas is not installed")
    frame = summary(network).to_frame()
    columns = ["name", "layer", "output_shape", "n_parameters", "n_bytes", "is_frozen"]
    assert list(frame.columns) == columns
    assert frame["n_parameters"].sum() == 2_163_684
    assert list(frame["name"]) == ["conv2d1", "batchnorm1", "<b>&", "output"]


def test_frame_without_pandas(network, without):
    without("pandas")
    with pytest.raises(ImportError, match=r"sklearn_nn\[pandas\]"):
        summary(network).to_frame()


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2, "1.0 MiB"),
        (5 * 1024**3, "5.0 GiB"),
        (5000 * 1024**3, "5,000.0 GiB"),
    ],
)
def test_bytes(n_bytes, text):
    assert _format_bytes(n_bytes).replace("1,023", "1023") == text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_real_network(dtype, rng):
    X, y = rng.standard_normal((30, 4)), np.arange(30) % 3
    network = MLPClassifier((5, 7), solver="lbfgs", max_iter=500, random_state=0, dtype=dtype)
    model = make_pipeline(StandardScaler(), network).fit(X, y)
    table = summary(model)
    assert table.title == "MLPClassifier"
    assert table.dtype == dtype
    assert table.n_parameters == 4 * 5 + 5 + 5 * 7 + 7 + 7 * 3 + 3
    assert (
        table.n_trainable
        == table.n_parameters
        == getattr(network, "n_parameters_", table.n_parameters)
    )
    counts = {row.name: row.n_parameters for row in table.rows if row.n_parameters}
    sizes = {n: sum(a.size for a in arrays.values()) for n, arrays in network.layers_.items()}
    assert counts == sizes
    assert [row.output_shape for row in table.rows][-1] == (3,)
    assert table.n_activations >= 4 + 5 + 7 + 3
    assert "Dense" in str(table)


def test_frozen_layers_are_marked_and_counted():
    X, y = np.eye(4), np.arange(4) % 2
    network = MLPClassifier((5, 7), batch_norm=True, random_state=0).initialize(X, y)
    assert network.freeze("dense1", "batchnorm2").summary().n_frozen == 25 + 14
    text = str(network.summary())
    assert text.count(", frozen") == 2
    assert "Frozen parameters:      39\n" in text
    assert network.unfreeze("dense1").summary().n_frozen == 14
    assert ", frozen" not in str(network.unfreeze().summary())


def test_not_fitted_or_no_network():
    with pytest.raises(NotFittedError):
        summary(MLPClassifier())
    with pytest.raises(TypeError, match="LogisticRegression"):
        summary(LogisticRegression().fit([[0], [1]], [0, 1]))
