"""What a network is made of, as a table."""

from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.weights import network_of, remarks_of
from sklearn_nn.inspection._fitted import fitted_network

HEADINGS = ("Layer", "Type", "Output shape", "Parameters", "Memory")
UNITS = ("B", "KiB", "MiB", "GiB")
NUMBERS_FROM = 3  # the columns from here on are numbers, set flush right


class SummaryRow(NamedTuple):
    """A layer in a summary."""

    name: str
    layer: str
    output_shape: tuple
    n_parameters: int
    n_bytes: int
    is_frozen: bool = False

    def _cells(self):
        """The row as text, column by column."""
        size = format_bytes(self.n_bytes)
        shape = tuple(map(int, self.output_shape))
        layer = f"{self.layer}, frozen" if self.is_frozen else self.layer
        return (self.name, layer, str(shape), f"{self.n_parameters:,}", size)


@dataclass(frozen=True, repr=False)
class Summary:
    """A network's layers and what they take: text, HTML in notebooks, or a data frame.

    Attributes
    ----------
    title : str
        The estimator's class.
    dtype : str
        The type that the network computes in.
    rows : list of SummaryRow
        name, layer (its type), output_shape (of one sample), n_parameters, n_bytes (of parameters
        and state) and is_frozen (whether training leaves them as they are) of every layer.
    n_trainable : int
        Number of parameters that training changes; the rest is frozen.
    n_state : int
        Number of values that layers remember and that are not trained, such as running means.
    n_activations : int
        Number of values that one sample takes on its way through the network.
    remarks : tuple of (str, str)
        What else there is to say of the network: names and texts.
    """

    title: str
    dtype: str
    rows: list
    n_trainable: int
    n_state: int
    n_activations: int
    remarks: tuple = ()

    @property
    def n_parameters(self):
        """Number of parameters of all layers.

        Returns
        -------
        n_parameters : int
            Frozen ones included.
        """
        return sum(row.n_parameters for row in self.rows)

    @property
    def n_frozen(self):
        """Number of parameters that training leaves as they are.

        Returns
        -------
        n_frozen : int
            State is not counted.
        """
        return self.n_parameters - self.n_trainable

    @property
    def parameter_bytes(self):
        """Memory of the parameters in bytes.

        Returns
        -------
        parameter_bytes : int
            Frozen ones included.
        """
        return self.n_parameters * np.dtype(self.dtype).itemsize

    @property
    def activation_bytes(self):
        """Memory of one sample's activations in bytes.

        Returns
        -------
        activation_bytes : int
            Training takes about twice as much, for their gradients.
        """
        return self.n_activations * np.dtype(self.dtype).itemsize

    def _totals(self):
        """Pairs of a name and a text."""
        size, itemsize = format_bytes, np.dtype(self.dtype).itemsize
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
        """The rows as a data frame.

        Returns
        -------
        frame : pandas DataFrame
            One row a layer, with the columns of `SummaryRow`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                'Summary.to_frame needs pandas; install it with: pip install "sklearn_nn[pandas]"'
            ) from error
        return pd.DataFrame(self.rows, columns=SummaryRow._fields)

    def __str__(self):
        table = [HEADINGS, *(row._cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(cells, widths) for cells in table]
        rule = "-" * len(_line(["-" * width for width in widths], widths))
        names = max(len(name) for name, _ in self._totals())
        totals = [f"{name + ':':<{names + 1}} {text}" for name, text in self._totals()]
        return "\n".join([self._heading(), "", lines[0], rule, *lines[1:], rule, *totals])

    __repr__ = __str__

    def _heading(self):
        return f"{self.title} ({self.dtype})"

    def _repr_html_(self):
        right = ' style="text-align: right"'
        aligned = [right if i >= NUMBERS_FROM else "" for i in range(len(HEADINGS))]
        head = "".join(
            f'<th scope="col"{style}>{name}</th>'
            for name, style in zip(HEADINGS, aligned, strict=True)
        )
        body = []
        for row in self.rows:
            name, *cells = map(escape, row._cells())
            data = [f"<td{a}>{c}</td>" for c, a in zip(cells, aligned[1:], strict=True)]
            body.append(f'<tr><th scope="row">{name}</th>{"".join(data)}</tr>')
        span = len(HEADINGS) - 1
        foot = [
            f'<tr><th scope="row">{escape(name)}</th><td colspan="{span}">{escape(text)}</td></tr>'
            for name, text in self._totals()
        ]
        return "\n".join(
            [
                f"<table>\n<caption>{escape(self._heading())}</caption>",
                f"<thead><tr>{head}</tr></thead>",
                *["<tbody>", *body, "</tbody>"],
                *["<tfoot>", *foot, "</tfoot>\n</table>"],
            ]
        )


def summary(estimator):
    """What a fitted network is made of.

    Parameters
    ----------
    estimator : estimator
        A fitted or initialised network, or a pipeline or search that holds one.

    Returns
    -------
    summary : Summary
        Prints as a table; in notebooks it is an HTML table.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not a network of sklearn_nn.

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
    if not isinstance(network, BaseNetwork):
        raise TypeError(
            f"summary describes networks of sklearn_nn, not {type(network).__name__}; pass one, "
            "or a pipeline that ends in one."
        )
    program = network_of(network).program
    itemsize = np.dtype(program.dtype).itemsize
    rows = [
        SummaryRow(
            line.name,
            line.layer,
            line.output_shape,
            line.n_parameters,
            (line.n_parameters + line.n_state) * itemsize,
            line.name in program.frozen and line.n_parameters + line.n_state > 0,
        )
        for line in program.outline
    ]
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


def format_bytes(n_bytes):
    """A number of bytes as a reader would write it.

    Parameters
    ----------
    n_bytes : int
        How many.

    Returns
    -------
    text : str
        In powers of 1024: "12 B", "3.4 KiB".

    Examples
    --------
    >>> from sklearn_nn.inspection.network_summary import format_bytes
    >>> format_bytes(2048)
    '2.0 KiB'
    """
    power = min(max(n_bytes.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    return f"{n_bytes / 1024**power:,.{min(power, 1)}f} {UNITS[power]}"


def _line(cells, widths):
    """One line of a table: text flush left, numbers flush right."""
    padded = [
        cell.rjust(width) if i >= NUMBERS_FROM else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded)
