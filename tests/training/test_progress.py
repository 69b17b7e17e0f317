"""`ProgressBar`, and what it is drawn with: rich, tqdm, or HTML in a notebook."""

import io
import pickle
import sys
from types import ModuleType, SimpleNamespace

import pytest
from sklearn.base import clone

from sklearn_nn.jit import console
from sklearn_nn.training import ProgressBar
from sklearn_nn.training.progress import can_draw, watched


class Terminal(io.StringIO):
    """Stream that claims to be a terminal."""

    def isatty(self):
        return True


class Network:
    """An estimator as a bar sees it."""

    def __init__(self, name=None, max_iter="auto"):
        self.history_ = {"loss": []}
        self.max_iter = max_iter
        if name is not None:
            self._network_name = name

    def _setting(self, name):
        return 5 if getattr(self, name) == "auto" else getattr(self, name)


@pytest.fixture
def screen(monkeypatch):
    """Put a terminal in the place of the output; to be called in the test."""

    def begin(without=()):
        for name in without:
            monkeypatch.setitem(sys.modules, name, None)
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        return stream

    yield begin
    console.tell_once.cache_clear()


WITHOUT_RICH = ("rich", "rich.progress")


@pytest.fixture(params=["rich", "tqdm"])
def terminal(request, screen):
    """A terminal where the bar is drawn by one of the two, if that is installed."""
    pytest.importorskip(request.param, reason="it draws the bar, and is not installed")
    return lambda: screen(() if request.param == "rich" else WITHOUT_RICH)


def draw(bar, epochs, network=None, **figures):
    network = Network() if network is None else network
    bar.on_fit_begin(network)
    for epoch in range(1, epochs + 1):
        network.history_["loss"].append(1.0)
        log = {"loss": 1 / epoch, "seconds": 0.5, **figures}
        assert not bar.on_epoch_end(epoch, log, network)
    bar.on_fit_end(network)


def test_progress_bar(terminal):
    stream, bar = terminal(), ProgressBar(n_samples=1000)
    draw(bar, 5, val_score=0.75)
    drawn = stream.getvalue()
    assert "epoch 5/5" in drawn
    assert "loss 0.2000  val_score 0.7500  2,000 samples/s" in drawn
    # Once more, and as a value.
    draw(pickle.loads(pickle.dumps(bar)), 2)
    assert "epoch 2/5" in stream.getvalue()
    assert bar == clone(bar)
    draw(ProgressBar(n_samples=1000, unit="characters"), 2)
    assert "2,000 characters/s" in stream.getvalue()


def test_the_bar_ends_with_the_figures_of_the_last_epoch(terminal):
    """Also where training stops early, within a tenth of a second."""
    stream = terminal()
    draw(ProgressBar(8), 3)
    assert "epoch 3/8" in stream.getvalue()
    assert "loss 0.3333" in stream.getvalue()
    assert "samples/s" not in stream.getvalue()


def test_progress_bar_of_no_epoch(terminal):
    stream = terminal()
    draw(ProgressBar(), 0)
    assert "epoch 0/5" in stream.getvalue()


def test_the_bar_names_one_of_several_networks(terminal):
    stream = terminal()
    draw(ProgressBar(), 2, Network("network 2 of 4"))
    assert "network 2 of 4, epoch 2/5" in stream.getvalue()


def test_whether_a_bar_can_be_drawn(terminal, monkeypatch):
    terminal()
    assert can_draw()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert not can_draw()
    monkeypatch.setattr(sys, "stdout", None)  # without a console on Windows
    assert not can_draw()


def test_workers_draw_nothing(terminal, monkeypatch):
    """Several of them share the terminal of their parent."""
    terminal()
    monkeypatch.setattr(console.multiprocessing, "parent_process", lambda: object())
    assert not can_draw()


def test_a_bar_of_items(terminal):
    stream = terminal()
    assert list(watched("abc", "letter")) == ["a", "b", "c"]
    assert "letter 3/3" in stream.getvalue()


def test_no_bar_of_items_where_nobody_watches(capsys):
    assert list(watched("abc", "letter")) == ["a", "b", "c"]
    assert capsys.readouterr().out == ""


def test_without_rich_and_tqdm(screen, monkeypatch, capsys):
    """Lines are printed, and the user reads once what draws a bar."""
    screen((*WITHOUT_RICH, "tqdm"))
    assert not can_draw()
    assert not can_draw()
    assert capsys.readouterr().err.count("for a progress bar in place of lines, pip install") == 1
    with pytest.raises(
        ImportError, match=r"draws with rich or tqdm; install.*sklearn_nn\[progress"
    ):
        ProgressBar().on_fit_begin(Network())


# --- notebooks --------------------------------------------------------------------------------


class Shell:
    """Modules of IPython in a notebook, and the outputs of its cell."""

    kernel = "a kernel"

    def __init__(self):
        self.outputs, self.n_updates = [], 0
        main, display = ModuleType("IPython"), ModuleType("IPython.display")
        main.get_ipython, display.display = lambda: self, self.display
        self.modules = {"IPython": main, "IPython.display": display}

    def display(self, content, display_id):
        assert display_id is True
        self.outputs.append(content)
        return SimpleNamespace(update=self.update)

    def update(self, content):
        self.outputs[-1] = content
        self.n_updates += 1


@pytest.fixture
def notebook(monkeypatch):
    """A notebook without rich and tqdm."""
    shell = Shell()
    for name in (*WITHOUT_RICH, "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, module in shell.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return shell


def test_a_notebook_needs_neither_rich_nor_tqdm(notebook, monkeypatch):
    assert can_draw()
    draw(ProgressBar(n_samples=1000), 3, Network("network 1 of 2"), val_score=0.75)
    (output,) = notebook.outputs
    assert notebook.n_updates >= 2
    text = "network 1 of 2, epoch 3/5  loss 0.3333  val_score 0.7500  2,000 samples/s"
    assert repr(output).startswith(text + "  0:00 left")
    assert '<progress value="3" max="5"></progress>' in output._repr_html_()
    assert text in output._repr_html_()
    draw(ProgressBar(), 5)
    assert repr(notebook.outputs[1]) == "epoch 5/5  loss 0.2000"
    # Spyder's console shows HTML, but does not replace it.
    monkeypatch.setitem(sys.modules, "spyder_kernels", ModuleType("spyder_kernels"))
    assert not can_draw()


def test_a_shell_in_a_terminal_is_no_notebook(notebook, screen, monkeypatch):
    monkeypatch.setattr(Shell, "kernel", None)
    screen()
    assert not console.in_notebook()
    assert console.is_watched(sys.stdout)
    assert not console.is_watched(None)
    closed = io.StringIO()
    closed.close()
    assert not console.is_watched(closed)
