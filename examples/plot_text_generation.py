"""
===============
Text generation
===============

``TextGenerator`` learns a text character by character and continues it. The text consists of the
docstrings of some modules of Python's standard library.
"""

# %%
# The text
# --------
# Signatures and docstrings of all functions and methods, as in a source file.
import importlib
import inspect
import textwrap
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

from sklearn_nn import TextGenerator

MODULES = """
argparse asyncio calendar codecs collections configparser csv datetime decimal difflib doctest
email.message fractions ftplib gettext heapq http.client imaplib inspect ipaddress json locale
logging mailbox numbers optparse os pathlib pdb pickle platform poplib posixpath pprint random
shutil smtplib socket statistics string subprocess tarfile tempfile textwrap threading tokenize
typing unittest.case unittest.mock urllib.parse uuid zipfile
"""


def docstrings(name):
    """Return signature and docstring of each function that a module defines."""
    try:
        module = importlib.import_module(name)
    except ImportError:  # not every version of Python has all of them
        return
    for key, value in sorted(vars(module).items()):
        if getattr(value, "__module__", None) != name or key.startswith("_"):
            continue
        methods = sorted(vars(value).items()) if inspect.isclass(value) else []
        for part, member in [(key, value), *methods]:
            documented = inspect.getdoc(member) if inspect.isroutine(member) else None
            if documented and not part.startswith("_"):
                body = textwrap.indent(f'"""{documented}"""', "    ")
                yield f"def {part}{signature(member)}:\n{body}\n"


def signature(function):
    """Return a signature, empty if there is none to be had."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return "()"


entries = dict.fromkeys(entry for name in MODULES.split() for entry in docstrings(name))
text = "\n".join(entries).encode("ascii", "ignore").decode()
print(f"{len(text):,} characters, {len(set(text))} of them different\n")
print(text[:400])

# %%
# Training
# --------
# The last tenth is held out. ``verbose=True`` would show the numbers of parameters and of
# characters, which should be of the same order of magnitude.
started = perf_counter()
model = TextGenerator(
    128, cell="gru", num_layers=1, max_iter=8, learning_rate="onecycle", learning_rate_init=0.01,
    sequence_length=50, batch_size=20, validation_fraction=0.1, n_jobs=-1, random_state=0,
).fit(text)  # fmt: skip
print(f"{model.n_parameters_:,} parameters, {perf_counter() - started:.0f} seconds")

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
epochs = np.arange(1, model.n_iter_ + 1)
ax.plot(epochs, model.loss_curve_, label="training")
ax.plot(epochs, model.validation_loss_curve_, label="held-out end")
share = model.character_counts_ / model.character_counts_.sum()
share = share[share > 0]
ax.axhline(
    -(share * np.log(share)).sum(), color="gray", linestyle=":", label="character frequencies"
)
ax.set(xlabel="epoch", ylabel="nats per character")
ax.legend()

# %%
# Sampling
# --------
# Near a temperature of 0, the most probable characters are repeated; at 1, characters are drawn
# with the network's probabilities. Temperatures in between give the most readable text.
for temperature in (0.2, 0.6, 1.0):
    print(f"\n--- temperature {temperature} " + "-" * 40)
    print("def " + model.sample(320, "\n\ndef ", temperature=temperature, random_state=0))

# %%
# Certainty of predictions
# ------------------------
# The uncertainty of the next character after each character of a line that is not in the text: it
# is low within words and high between them. The bars show the exponential of the entropy: a uniform
# choice among this number of characters would be equally uncertain. ``top_p`` keeps about this
# number of characters, ``top_k`` the same number everywhere.
line = "    Return the number of items that match."
p = model.predict_proba([line[:end] for end in range(1, len(line))])
entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=1)
figure, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
ax.bar(np.arange(1, len(line)), np.exp(entropy))
ax.set_xticks(np.arange(len(line)), line.replace(" ", "␣"))
ax.set(
    ylabel="characters",
    xlim=(0, len(line)),
    title="Effective number of choices for the next character",
)
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :doc:`/guide_text` explains the parameters, and how to sample character by character.
