"""Summary of a network as a table."""

from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from sklearn_nn._optional import imported
from sklearn_nn.estimators._core.fitted_network import network_of, remarks_of
from sklearn_nn.inspection._fitted import check_network, fitted_network

HEADINGS = ("Layer", "Type", "Output shape", "Parameters", "Memory")
#: Alignment of each column: text to the left, numbers to the right.
ALIGNMENT = "<<<>>"
UNITS = ("B", "KiB", "MiB", "GiB")


class SummaryRow(NamedTuple):
    """Row of a summary: a layer.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> model = MLPClassifier(10, random_state=0).initialize(*load_iris(return_X_y=True))
    >>> row = model.summary().rows[0]
    >>> row.name, row.layer, row.output_shape, row.n_parameters
    ('dense1', 'Dense', (10,), 50)
    """

    name: str
    layer: str
    output_shape: tuple
    n_parameters: int
    n_bytes: int
    is_frozen: bool = False

    def _cells(self):
        """Return the text of each column."""
        shape = str(tuple(map(int, self.output_shape)))
        layer = f"{self.layer}, frozen" if self.is_frozen else self.layer
        size = _format_bytes(self.n_bytes)
        return (self.name, layer, shape, f"{self.n_parameters:,}", size)


@dataclass(frozen=True, repr=False)
class Summary:
    """Layers of a network with their sizes, printed as text or as HTML in notebooks.

    Attributes
    ----------
    title : str
        Class of the estimator.
    dtype : str
        Floating-point type of the network.
    rows : list of SummaryRow
        For every layer its name, its type (layer), the output_shape of one sample, n_parameters,
        n_bytes of parameters and state, and is_frozen.
    n_trainable : int
        Number of parameters that training changes; the others are frozen.
    n_state : int
        Number of values that layers keep without training them, such as running means.
    n_activations : int
        Number of values that the network computes for one sample.
    remarks : tuple of (str, str)
        Names and texts of additional lines.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> model = MLPClassifier(10, random_state=0).initialize(*load_iris(return_X_y=True))
    >>> model.summary()
    MLPClassifier (float64)
    <BLANKLINE>
    Layer        Type        Output shape  Parameters  Memory
    ---------------------------------------------------------
    dense1       Dense       (10,)                 50   400 B
    activation1  Activation  (10,)                  0     0 B
    output       Dense       (3,)                  33   264 B
    ---------------------------------------------------------
    Parameters:             83 (664 B)
    Trainable parameters:   83
    Activations per sample: 20 (160 B)
    >>> model.summary().n_parameters
    83
    """

    title: str
    dtype: str
    rows: list
    n_trainable: int
    n_state: int
    n_activations: int
    remarks: tuple = ()

    n_parameters = property(
        lambda self: sum(row.n_parameters for row in self.rows),
        doc="Number of parameters of all layers, frozen ones included.",
    )
    n_frozen = property(
        lambda self: self.n_parameters - self.n_trainable,
        doc="Number of parameters that training does not change; state is not counted.",
    )
    parameter_bytes = property(
        lambda self: self.n_parameters * np.dtype(self.dtype).itemsize,
        doc="Memory of the parameters in bytes, frozen ones included.",
    )
    activation_bytes = property(
        lambda self: self.n_activations * np.dtype(self.dtype).itemsize,
        doc="Memory of one sample's activations in bytes; training needs about twice as much.",
    )

    def _totals(self):
        """Return the lines below the table as pairs of a name and a text."""
        size, itemsize = _format_bytes, np.dtype(self.dtype).itemsize
        totals = [
            ("Parameters", f"{self.n_parameters:,} ({size(self.parameter_bytes)})"),
            ("Trainable parameters", f"{self.n_trainable:,}"),
        ]
        if self.n_frozen:
            totals.append(("Frozen parameters", f"{self.n_frozen:,}"))
        if self.n_state:
            totals.append(("State", f"{self.n_state:,} ({size(self.n_state * itemsize)})"))
        activations = f"{self.n_activations:,} ({size(self.activation_bytes)})"
        return [*totals, ("Activations per sample", activations), *self.remarks]

    def to_frame(self):
        """Return the rows as a data frame of pandas, which must be installed.

        Returns
        -------
        frame : pandas DataFrame
            A row for each layer, with the columns of `SummaryRow`.
        """
        pd = imported("pandas", "Summary.to_frame needs pandas", "pandas")
        return pd.DataFrame(self.rows, columns=SummaryRow._fields)

    def __str__(self):
        table = [HEADINGS, *(row._cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        formats = [f"{side}{width}" for side, width in zip(ALIGNMENT, widths, strict=True)]
        lines = ["  ".join(map(format, cells, formats)) for cells in table]
        rule = "-" * len(lines[0])
        names = max(len(name) for name, _ in self._totals())
        totals = [f"{name + ':':<{names + 1}} {text}" for name, text in self._totals()]
        return "\n".join([self._heading(), "", lines[0], rule, *lines[1:], rule, *totals])

    __repr__ = __str__

    def _heading(self):
        return f"{self.title} ({self.dtype})"

    def _repr_html_(self):
        styles = [' style="text-align: right"' if side == ">" else "" for side in ALIGNMENT]
        columns = zip(HEADINGS, styles, strict=True)
        head = "".join(f'<th scope="col"{style}>{name}</th>' for name, style in columns)
        body = [_html_row(row._cells(), styles[1:]) for row in self.rows]
        foot = [_html_row(total, [f' colspan="{len(HEADINGS) - 1}"']) for total in self._totals()]
        table = [f"<table>\n<caption>{escape(self._heading())}</caption>"]
        table += [f"<thead><tr>{head}</tr></thead>", "<tbody>", *body, "</tbody>"]
        return "\n".join([*table, "<tfoot>", *foot, "</tfoot>\n</table>"])


def _html_row(cells, attributes):
    """Return a row in HTML; its first cell is the heading, which has no further attributes."""
    name, *others = map(escape, cells)
    data = "".join(f"<td{a}>{text}</td>" for text, a in zip(others, attributes, strict=True))
    return f'<tr><th scope="row">{name}</th>{data}</tr>'


def summary(estimator):
    """Summarize the layers of a fitted network.

    Parameters
    ----------
    estimator : estimator
        A fitted or initialized network, or a pipeline or search that contains one.

    Returns
    -------
    summary : Summary
        Prints as a table, in HTML in notebooks.

    Raises
    ------
    NotFittedError, TypeError
        If the estimator is not fitted, or is not a network of sklearn_nn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import summary
    >>> model = MLPClassifier(10, solver="lbfgs", random_state=0)
    >>> summary(model.fit(*load_iris(return_X_y=True))).n_parameters
    83
    """
    network = fitted_network(estimator)
    check_network(network, "summary")
    program = network_of(network).program
    itemsize = np.dtype(program.dtype).itemsize
    rows = []
    for line in program.outline:
        size = line.n_parameters + line.n_state
        described = (line.name, line.layer, line.output_shape, line.n_parameters)
        is_frozen = size > 0 and line.name in program.frozen
        rows.append(SummaryRow(*described, size * itemsize, is_frozen))
    parameters = [placed.parameter for placed in program.parameters]
    return Summary(
        title=type(network).__name__,
        dtype=program.dtype,
        rows=rows,
        n_trainable=sum(p.size for p in parameters if p.rate != 0),
        n_state=sum(line.n_state for line in program.outline),
        n_activations=program.width,
        remarks=remarks_of(network),
    )


def _format_bytes(n_bytes):
    """Return a number of bytes as text in powers of 1024, such as "12 B" or "3.4 KiB"."""
    power = min(max(n_bytes.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    return f"{n_bytes / 1024**power:,.{min(power, 1)}f} {UNITS[power]}"
