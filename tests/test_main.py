"""`python -m sklearn_nn`."""

import io
import re
import subprocess
import sys

import pytest

from sklearn_nn.__main__ import _tasks, main


@pytest.mark.parametrize("with_rich", [True, False])
def test_each_kind_of_network_learns(with_rich, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    if with_rich:
        pytest.importorskip("rich", reason="the table is drawn by rich, which is not installed")
    else:
        for name in ("rich", "rich.progress"):
            monkeypatch.setitem(sys.modules, name, None)
    main(["--epochs", "4"])
    shown = capsys.readouterr().out
    for kind in ("MLPClassifier", "MLPRegressor", "TabularRegressor", "CNNClassifier"):
        assert re.search(rf"\d/7 {kind} learns ", shown)
        assert re.search(rf"{kind} +(accuracy|R2) -?\d+\.\d\d\d +\d+\.\d\d", shown)
    # The same weights as scikit-learn's, so that scores are equal.
    same = re.findall(r"MLP\w+ +\w+ (\S+) +\d+\.\d\d +(\S+) in \d+\.\d\d s", shown)
    assert len(same) == 3
    assert all(own == theirs for own, theirs in same)
    assert float(re.search(r"CNNClassifier +accuracy (\S+)", shown)[1]) > 0.8
    assert float(re.search(r"RNNClassifier +accuracy (\S+)", shown)[1]) > 0.4
    assert 1 < float(re.search(r"TextGenerator +perplexity (\S+)", shown)[1]) < 12
    assert len(re.search(r"The last one writes: (.*)", shown)[1]) == 300
    assert max(map(len, shown.split("The last one")[0].splitlines())) <= 80
    assert ("─" in shown) == with_rich


def test_a_bar_shows_progress_on_a_terminal(monkeypatch):
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", screen)
    last = [*_tasks()][-1:]
    monkeypatch.setattr("sklearn_nn.__main__._tasks", lambda: last)
    main(["--epochs", "1"])
    assert "epoch 1/1" in screen.getvalue()


def test_the_first_line_comes_before_the_imports():
    command = [sys.executable, "-m", "sklearn_nn", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        first, rest = process.stdout.readline(), process.stdout.read()
    assert first.startswith("sklearn_nn: each kind of network learns")
    assert "--epochs EPOCHS" in rest
