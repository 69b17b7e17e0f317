"""
===========
Convolution
===========

Convolutions of an image with hand-made kernels; the positions of a kernel (stride, padding,
dilation); pooling; and the receptive field of an output. Every formula on this page is checked
against the layers.
"""

# %%
# Hand-made kernels
# -----------------
# A filter is moved over the image. At each position, its *kernel* is multiplied with the pixels of
# a window, and the products are summed: the sum is large where the image resembles the kernel. A
# network learns its kernels. Here, they are set: ``initialize`` builds a network without training
# it, and the arrays in ``layers_`` can be overwritten.
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from scipy.signal import correlate2d
from sklearn.datasets import load_sample_images

from sklearn_nn import NeuralNetworkRegressor
from sklearn_nn.inspection import FeatureMapDisplay, FilterDisplay, saliency_map
from sklearn_nn.layers import AveragePool2D, Conv2D, GlobalAveragePool, MaxPool2D

photo = load_sample_images().images[0]
grey = photo[:420, 100:520].mean(axis=2).reshape(140, 3, 140, 3).mean(axis=(1, 3)) / 255
image = grey.reshape(1, 140, 140, 1)

sobel = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]) / 4
gauss = np.outer([1, 2, 1], [1, 2, 1]) / 16
spot = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
kernels = {
    "identity": spot,
    "blur": gauss,
    "horizontal edges": sobel,
    "vertical edges": sobel.T,
    "outline": 4 * (spot - gauss),
    "sharpen": spot + 2 * (spot - gauss),
}


def built(layers, shape=(140, 140, 1)):
    """Return a network of these layers for images of a shape, not trained."""
    network = NeuralNetworkRegressor(layers, input_shape=shape, random_state=0)
    return network.initialize(np.zeros((2, *shape)), [0.0, 1.0])


network = built([Conv2D(6, 3, padding="same"), GlobalAveragePool()])
arrays = network.layers_["conv2d1"]
arrays["kernel"][...] = np.stack(list(kernels.values()), axis=-1)[:, :, np.newaxis]
arrays["bias"][...] = 0

FilterDisplay.from_estimator(network, share_scale=False)

# %%
# :class:`~sklearn_nn.inspection.FeatureMapDisplay` shows the output of a layer for one image. Edges
# from dark to bright and from bright to dark differ in sign only: grey is zero. As usual for neural
# networks, the kernel is not flipped; in mathematics, this operation is called a cross-correlation.
figure = plt.figure(figsize=(9, 4.6), layout="constrained")
maps = FeatureMapDisplay.from_estimator(
    network, image, "conv2d1", cmap="gray", share_scale=False, columns=4, figure=figure
)
for ax, name in zip(maps.axes_[1:], kernels, strict=True):
    ax.set_title(name)

for number, kernel in enumerate(kernels.values()):
    expected = correlate2d(grey, kernel, mode="same")
    np.testing.assert_allclose(maps.maps[..., number], expected, atol=1e-12)

# %%
# Positions of the kernel
# -----------------------
# ``padding="valid"`` keeps the kernel inside the image; with ``"same"``, it extends beyond the
# edges, where it reads zeros. With a ``stride`` s, neighbouring positions are s pixels apart. With
# a ``dilation_rate`` d, the pixels that a kernel reads are d apart: k of them extend over k' = (k -
# 1) d + 1 pixels. Along an axis of n pixels, there are
#
# .. math::
#
#    \text{valid:}\quad \left\lceil \frac{n - k' + 1}{s} \right\rceil \text{ positions}, \qquad
#    \text{same:}\quad \left\lceil \frac{n}{s} \right\rceil \text{ positions}
#
# and "same" adds the pixels that this requires beyond the edges; if their number is odd, the larger
# half is at the bottom and right.


def places(n, k, s, d, padding):
    """Return the number of positions, and the pixels added before and after the image."""
    reach = (k - 1) * d + 1
    if padding == "valid":
        return math.ceil((n - reach + 1) / s), 0, 0
    count = math.ceil(n / s)
    beyond = max((count - 1) * s + reach - n, 0)
    return count, beyond // 2, beyond - beyond // 2


checked = 0
for n, k, s, d in itertools.product(range(5, 14), (1, 2, 3, 4), (1, 2, 3), (1, 2)):
    for padding in ("valid", "same"):
        layer = Conv2D(1, k, strides=s, dilation_rate=d, padding=padding)
        if padding == "same" or (k - 1) * d + 1 <= n:
            count = places(n, k, s, d, padding)[0]
            assert layer.output_shape((n, n, 1)) == (count, count, 1)
            checked += 1
print(f"{checked} sizes agree")

# %%
# The kernel in its first (blue) and last (red) position, and all positions of its centre (dots).
# Pixels beyond the image are white. Six pixels with a stride of two need one additional pixel, at
# the bottom and right.
cases = [
    (7, 3, 1, 1, "valid"), (7, 3, 2, 1, "valid"), (7, 3, 1, 2, "valid"),
    (7, 3, 1, 1, "same"), (6, 3, 2, 1, "same"), (7, 3, 1, 2, "same"),
]  # fmt: skip
figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="constrained")
for ax, (n, k, s, d, padding) in zip(axes.flat, cases, strict=True):
    count, before, after = places(n, k, s, d, padding)
    for p, q in itertools.product(range(-before, n + after), repeat=2):
        inside = 0 <= p < n and 0 <= q < n
        ax.add_patch(Rectangle((q, p), 1, 1, fc="0.85" if inside else "white", ec="0.6", lw=0.6))
    for color, first in (("C0", -before), ("C3", -before + (count - 1) * s)):
        for p, q in itertools.product(range(k), repeat=2):
            corner = (first + q * d, first + p * d)
            ax.add_patch(Rectangle(corner, 1, 1, fc=color, alpha=0.45, ec=color))
    centres = -before + np.arange(count) * s + (k - 1) * d / 2 + 0.5
    ax.plot(*np.meshgrid(centres, centres), "k.", markersize=4)
    ax.set(xlim=(-2.2, 9.2), ylim=(9.2, -2.2), aspect="equal")
    ax.set_axis_off()
    words = f"stride {s}" if d == 1 else f"dilation {d}"
    ax.set_title(f"{padding}, {n} pixels, {words}: {count} × {count}", fontsize="medium")

# %%
# The same for the photograph. A stride reduces the number of positions; a dilation compares more
# distant pixels. The zeros beyond the edges of the image cause an artificial edge.
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for ax, options in zip(axes, [{}, {"strides": 4}, {"dilation_rate": 6}], strict=True):
    network = built([Conv2D(1, 3, padding="same", **options), GlobalAveragePool()])
    network.layers_["conv2d1"]["kernel"][..., 0, 0] = kernels["vertical edges"]
    maps = FeatureMapDisplay.from_estimator(network, image, "conv2d1").maps
    plt.close()
    ax.imshow(maps[..., 0], cmap="RdBu_r", vmin=-0.8, vmax=0.8)
    words = ", ".join(f"{name}={value}" for name, value in options.items()) or "strides=1"
    ax.set_title(f"{words}: {maps.shape[0]} × {maps.shape[1]}")
    ax.set(xticks=[], yticks=[])

# %%
# Pooling
# -------
# Pooling has no weights: it computes the maximum or the mean of each window. By default, windows do
# not overlap; the sizes follow the formulas above. The maximum preserves the presence of an edge,
# but not its exact position; the mean blurs.
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
edges = np.abs(correlate2d(grey, kernels["vertical edges"], mode="same", boundary="symm"))
pools = {"edges": None, "MaxPool2D(5)": MaxPool2D(5), "AveragePool2D(5)": AveragePool2D(5)}
for ax, (name, pool) in zip(axes, pools.items(), strict=True):
    pooled = edges
    if pool is not None:
        network = built([("pool", pool), GlobalAveragePool()])
        display = FeatureMapDisplay.from_estimator(
            network, edges[np.newaxis, :, :, np.newaxis], "pool"
        )
        plt.close()
        pooled = display.maps[..., 0]
    ax.imshow(pooled, cmap="magma", vmin=0, vmax=0.7)
    ax.set_title(f"{name}: {pooled.shape[0]} × {pooled.shape[1]}")
    ax.set(xticks=[], yticks=[])

# %%
# Receptive field
# ---------------
# The *receptive field* of an output is the part of the image that it depends on. A layer whose
# kernel extends over k' pixels enlarges it by (k' - 1) times the strides of all layers before it:
#
# .. math::
#
#    r = 1 + \sum_{l} (k'_l - 1) \prod_{m < l} s_m
#
# The gradient, which :func:`~sklearn_nn.inspection.saliency_map` computes, shows which pixels an
# output depends on. If all weights are one, it is nonzero in the whole field.
stacks = {
    "3, 3, 3": [(3, 1, 1), (3, 1, 1), (3, 1, 1)],
    "7": [(7, 1, 1)],
    "3, stride 2, three times": [(3, 2, 1), (3, 2, 1), (3, 2, 1)],
    "3, dilation 1, 2, 4": [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
}
figure, axes = plt.subplots(1, 4, figsize=(10, 3.1), layout="constrained")
for ax, (name, stack) in zip(axes, stacks.items(), strict=True):
    layers = [Conv2D(1, k, strides=s, dilation_rate=d) for k, s, d in stack]
    network = built(layers, (31, 31, 1))
    for layer, arrays in network.layers_.items():
        arrays["kernel"][...] = 0 if layer == "output" else 1
    middle = len(network.layers_["output"]["kernel"]) // 2
    network.layers_["output"]["kernel"][middle] = 1
    gradient = saliency_map(network, np.zeros((1, 31, 31, 1)))[0, :, :, 0]
    rows = np.flatnonzero(gradient.any(axis=1))

    field, jump = 1, 1
    for k, s, d in stack:
        field, jump = field + (k - 1) * d * jump, jump * s
    assert rows[-1] - rows[0] + 1 == field

    ax.imshow(gradient > 0, cmap="Blues", vmin=0, vmax=2)
    ax.set_title(f"{name}\nfield {field} × {field}", fontsize="medium")
    ax.set(xticks=[], yticks=[])

# %%
# Number of parameters
# --------------------
# A filter has one weight for every pixel of its kernel and every input channel, and a bias: k × k ×
# C + 1 parameters, F times for F filters, for images of any size. Three layers of 3 × 3 have the
# same receptive field as one of 7 × 7, and about half its weights.
channels = 32
counts = {}
for name, sizes in {"one of 7 × 7": [7], "three of 3 × 3": [3, 3, 3]}.items():
    layers = [Conv2D(channels, k, padding="same") for k in sizes]
    network = built([*layers, GlobalAveragePool()], (16, 16, channels))
    counts[name] = sum(row.n_parameters for row in network.summary().rows[: len(sizes)])
    assert counts[name] == sum((k * k * channels + 1) * channels for k in sizes)
print(counts)
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :doc:`/guide_images` builds networks of these layers.
# :ref:`sphx_glr_auto_examples_plot_see_a_network.py` shows what they learn, and
# :ref:`sphx_glr_auto_examples_plot_signal_cnn.py` the same for signals.
