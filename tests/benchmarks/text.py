"""Text: characters a second, and what a budget of seconds reaches on tiny-shakespeare.

Run as ``python tests/benchmarks/text.py`` for the speed of training and of sampling, beside torch
where it is installed. Run as ``python tests/benchmarks/text.py 600 [name=value ...]`` to train for
so many seconds on two threads, with parameters of `TextGenerator`; the last tenth of the text is
held out. The epochs are planned by a short trial, so that a schedule comes to its end. Reads
text_tinyshakespeare from $SKLEARN_NN_DATA or ../shared/data.
"""

from __future__ import annotations

import ast
import gzip
import sys
import time

import numpy as np
from training import DATA

from sklearn_nn import TextGenerator
from sklearn_nn.training import LambdaCallback

FILE = DATA / "text_tinyshakespeare" / "input.txt.gz"
#: Part of the budget that is planned with: epochs do not all take the same time.
_PLANNED = 0.93


def read_text():
    """The whole text."""
    if not FILE.exists():
        sys.exit(f"{FILE} is absent; set SKLEARN_NN_DATA to the folder that holds it")
    return gzip.decompress(FILE.read_bytes()).decode()


def seconds_of_an_epoch(model, text):
    """Return the faster time of two of `partial_fit`, after one that compiles."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        model.partial_fit(text)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def torch_seconds(hidden, batch, length, n_windows, n_symbols, threads):
    """Return the faster time of two of the same epoch in torch."""
    import torch

    torch.set_num_threads(threads)
    lstm = torch.nn.LSTM(n_symbols, hidden, 2, batch_first=True)
    output = torch.nn.Linear(hidden, n_symbols)
    parameters = [*lstm.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.002)
    codes = torch.randint(0, n_symbols, (batch, n_windows * length + 1))
    times = []
    for _ in range(2):
        start, state = time.perf_counter(), None
        for k in range(n_windows):
            window = codes[:, k * length : (k + 1) * length + 1]
            x = torch.nn.functional.one_hot(window[:, :-1], n_symbols).float()
            found, state = lstm(x, state)
            state = tuple(part.detach() for part in state)
            loss = torch.nn.functional.cross_entropy(
                output(found).flatten(0, 1), window[:, 1:].flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        times.append(time.perf_counter() - start)
    return min(times)


def speed():
    """Characters a second, of training and of sampling."""
    text, n_windows = read_text(), 20
    for hidden in (128, 256):
        for batch in (50, 100):
            for threads in (1, 2):
                size = batch * 100 * n_windows + 1
                model = TextGenerator(
                    hidden, batch_size=batch, n_jobs=threads, random_state=0,
                    vocabulary=sorted(set(text)),
                )  # fmt: skip
                ours = (size - 1) / seconds_of_an_epoch(model, text[:size])
                line = (
                    f"train, 2 x {hidden}, batch {batch}, {threads} threads: {ours:9,.0f} chars/s"
                )
                try:
                    theirs = torch_seconds(hidden, batch, 100, n_windows, 65, threads)
                    line += f"; torch {(size - 1) / theirs:9,.0f}"
                except ImportError:
                    pass
                print(line, flush=True)
        for choice in ({}, {"top_k": 20, "top_p": 0.9}):
            start = time.perf_counter()
            model.sample(5000, random_state=0, **choice)
            each = 5000 / (time.perf_counter() - start)
            print(f"sample, 2 x {hidden}, {choice}: {each:9,.0f} chars/s", flush=True)


def train(budget, **parameters):
    """Train for so many seconds; print losses by time, and what the network writes."""
    started, text = time.perf_counter(), read_text()
    settings = {"n_jobs": 2, "random_state": 0, "n_iter_no_change": np.inf, **parameters}
    model = TextGenerator(**settings, vocabulary=sorted(set(text)))
    trial = model.batch_size * model.sequence_length * 20 + 1
    epoch = seconds_of_an_epoch(model, text[:trial]) * len(text) * 0.93 / trial

    def elapsed():
        return time.perf_counter() - started

    def tell(n, log, estimator):
        if n == 1:
            found = estimator
            print(f"{found.n_parameters_:,} parameters, {found.n_characters_:,} characters")
        losses = f"loss {log['loss']:.4f}  val_loss {log['val_loss']:.4f}"
        print(f"{elapsed():6.0f} s  epoch {n:3}  {losses}", flush=True)
        return elapsed() + log["seconds"] > budget

    model.set_params(
        max_iter=max(1, int(_PLANNED * (budget - elapsed()) / epoch)),
        early_stopping="best",
        validation_fraction=0.1,
        callbacks=[LambdaCallback(on_epoch_end=tell)],
    )
    print(f"{model.max_iter} epochs planned of {epoch:.1f} s each: {parameters}", flush=True)
    model.fit(text)
    print(f"{elapsed():.0f} s: best val_loss {min(model.history_['val_loss']):.4f}")
    held_out = text[len(text) - round(0.1 * len(text)) :]
    print(f"read as one stream {-model.score(held_out):.4f} nats per character")
    for temperature in (0.5, 0.8, 1.0):
        print(f"\n--- temperature {temperature}")
        print(model.sample(400, "\n", temperature=temperature, random_state=0))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        speed()
    else:
        given = dict(argument.split("=", 1) for argument in sys.argv[2:])
        values = {}
        for key, value in given.items():
            try:
                values[key] = ast.literal_eval(value)
            except ValueError:
                values[key] = value
        train(float(sys.argv[1]), **values)
