"""
====================
An Inception network
====================

An Inception module applies kernels of several sizes in parallel branches. Here it classifies
signals of many channels in which both a slow wave and a short pulse matter. It is compared with
plain convolutions of one kernel size, by accuracy for several numbers of training signals and by
number of parameters: what it gains, and what it does not.
"""

# %%
# The task
# --------
# A signal has 32 channels, as those of electrodes do: each channel is a mixture of two sources, and
# noise. One source is a slow wave with a period of 24 or 36 steps; the other has pulses of four
# steps, at random times, that either alternate or turn once. The four combinations are the classes.
import matplotlib.pyplot as plt
import numpy as np

from sklearn_nn import NeuralNetworkClassifier
from sklearn_nn.inspection import FeatureMapDisplay
from sklearn_nn.layers import Activation, Conv1D, GlobalAveragePool, MaxPool1D, Parallel

STEPS, CHANNELS = 96, 32
mixture = np.random.default_rng(5).standard_normal((2, CHANNELS))


def make_sources(n, seed):
    """Return n pairs of a wave and pulses, of shape (n, steps, 2), and their classes."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n)
    period = np.where(kind // 2, 24, 36)[:, np.newaxis]
    wave = np.sin(2 * np.pi * (np.arange(STEPS) / period + rng.random((n, 1))))
    pulses = np.zeros((n, STEPS))
    for row, k in zip(pulses, kind, strict=True):
        for start in rng.integers(0, STEPS - 4, 3):
            row[start : start + 4] += [2, -2, 2, -2] if k % 2 else [2, 2, -2, -2]
    return np.stack([wave, pulses], axis=-1), kind


def make_signals(n, seed):
    """Return n signals of shape (n, steps, channels), and their classes."""
    sources, kind = make_sources(n, seed)
    noise = np.random.default_rng(seed + 1).standard_normal((n, STEPS, CHANNELS))
    return (0.5 * sources @ mixture + noise).astype(np.float32), kind


sources, kind = make_sources(40, seed=0)
signals, _ = make_signals(40, seed=0)
figure, axes = plt.subplots(
    2, 4, figsize=(10, 3.6), sharex=True, sharey="row", layout="constrained"
)
for k, (upper, lower) in enumerate(axes.T):
    of = np.flatnonzero(kind == k)[0]
    upper.plot(sources[of], label=["wave", "pulses"])
    lower.plot(signals[of, :, 0], color="0.4")
    upper.set_title(f"class {k}")
    lower.set_xlabel("step")
axes[0, 0].set_ylabel("sources")
axes[1, 0].set_ylabel("one of 32\nchannels")
axes[0, 0].legend(fontsize="small", ncols=2, loc="lower left")

# %%
# The module
# ----------
# A plain stack has one kernel size per layer. The Inception module (Szegedy et al., 2015; for
# signals, Fawaz et al., 2020) has several: here convolutions over 3, 9 and 33 steps, and pooling,
# whose outputs are concatenated by channel. ``padding="same"`` and equal strides keep their lengths
# equal. For images, the same module has ``Conv2D`` and ``MaxPool2D``: see :doc:`/guide_images`.
#
# A convolution of size 1 combines the channels of each step. Before a large kernel, it reduces the
# number of channels, and thereby nearly all of the parameters of the module.


def conv(filters, size):
    """Return a convolution that keeps the length, and its activation."""
    return [Conv1D(filters, size, padding="same", kernel_initializer="he_uniform"), relu()]


def relu():
    """Return the activation."""
    return Activation("relu")


def inception(filters, reduced=None, sizes=(3, 9, 33)):
    """Return the module; a convolution of size 1 reduces channels to `reduced` unless None."""
    before = [] if reduced is None else [Conv1D(reduced, 1)]
    pooled = [MaxPool1D(3, strides=1, padding="same"), *conv(filters, 1)]
    return Parallel([*([*before, *conv(filters, size)] for size in sizes), pooled])


# %%
# A comparison
# ------------
# Two layers, or two modules, of 32 channels each; and, for a fair comparison of parameters, two
# layers of few filters with the large kernel. All are trained for 400 updates, those with large
# kernels only at a lower rate, without which some of them fail.


def network(*layers, rate=0.005):
    """Return a network with these layers before the global average and the output."""
    return NeuralNetworkClassifier(
        [*layers, GlobalAveragePool()],
        input_shape=(STEPS, CHANNELS),
        batch_size=20,
        learning_rate_init=rate,
        learning_rate="cosine",
        n_iter_no_change=np.inf,
    )


networks = {
    "kernels of 3": network(*conv(32, 3), *conv(32, 3)),
    "kernels of 9": network(*conv(32, 9), *conv(32, 9)),
    "kernels of 33": network(*conv(32, 33), *conv(32, 33), rate=0.001),
    "kernels of 33, 4 filters": network(*conv(4, 33), *conv(4, 33), rate=0.001),
    "Inception": network(inception(8), inception(8)),
    "Inception, reduced to 4": network(inception(8, reduced=4), inception(8, reduced=4)),
}
sizes, seeds = (40, 160), range(3)
X_test, y_test = make_signals(1000, seed=100)
print(
    f"{'accuracy with n training signals':34}" + "".join(f"{n:>16}" for n in sizes) + "  parameters"
)
scores = {}
for name, model in networks.items():
    for n in sizes:
        model.set_params(max_iter=400 * 20 // n)
        for seed in seeds:
            model.set_params(random_state=seed).fit(*make_signals(n, seed))
            scores.setdefault((name, n), []).append(model.score(X_test, y_test))
    found = [f"{np.mean(scores[name, n]):.3f} +- {np.std(scores[name, n]):.3f}" for n in sizes]
    print(f"{name:34}" + "".join(f"{text:>16}" for text in found) + f"{model.n_parameters_:12,}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
for ax, n in zip(axes, sizes, strict=True):
    for name, marker in zip(networks, "osD^*P", strict=True):
        found, parameters = scores[name, n], networks[name].n_parameters_
        options = {"fmt": marker, "markersize": 9, "capsize": 3, "label": name}
        ax.errorbar(parameters, np.mean(found), np.std(found), **options)
    ax.set(title=f"{n} training signals", xlabel="parameters", xscale="log", xlim=(3000, 1e5))
axes[0].set_ylabel("test accuracy (bars: standard deviation)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)

# %%
# Kernels of 3 steps cannot see the wave, and tell two pairs of classes apart at best. The Inception
# network with reduced channels reaches the accuracy of wide layers of large kernels with a
# fifteenth of their parameters; a plain network of as many parameters is worse on average, and
# fails for some seeds. The module also saves the choice of a kernel size. What it does not do: it
# is not clearly more accurate than wide layers of the right size, and where one small kernel is
# enough, as for handwritten digits of 8 × 8 pixels, plain layers with as many parameters are as
# good.
#
# Nested layers
# -------------
# Nested layers have names: ``parallel1.2.conv1d2`` is the second convolution of branch number 2.
# These names are used in ``summary()``, in ``layers_`` and for feature maps.
model = networks["Inception, reduced to 4"]
print(model.summary())

# %%
# The output of the first module for one signal: channels 0 to 7 come from kernels of 3, the next
# eight from kernels of 9, then 33, and the last eight from pooling. The large kernels follow the
# wave, the small ones the pulses.
FeatureMapDisplay.from_estimator(model, X_test[:1], "parallel1", columns=11)
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# The whole module is a parameter of the network, and can be a value in a grid search:
print([name for name in model.get_params() if name.startswith("parallel")])

# %%
# :doc:`/guide_images` builds the module for images, and
# :ref:`sphx_glr_auto_examples_plot_signal_cnn.py` shows the filters of plain networks for signals.
