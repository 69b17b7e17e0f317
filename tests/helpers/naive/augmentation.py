"""Slow, obvious twins of the layers of augmentation, for one sample.

A twin is a function of (image, draw), where ``draw(unit)`` is the sample's uniform number. Its
gradient is the transpose of its Jacobian, taken one element of the image at a time.
"""

import math

import numpy as np
from scipy import ndimage

from helpers.naive.random_numbers import random_normal, random_uniform, stream

#: What SciPy calls the fill modes.
SCIPY_MODES = {
    "constant": "grid-constant", "reflect": "reflect", "wrap": "grid-wrap", "nearest": "nearest",
}  # fmt: skip
#: What NumPy calls them.
NUMPY_MODES = {"constant": "constant", "reflect": "symmetric", "wrap": "wrap", "nearest": "edge"}


def uniform(draw, unit, low, high):
    return low + (high - low) * draw(unit)


def whole(draw, unit, low, high):
    return int(low + math.floor((high - low + 1) * draw(unit)))


def flip(mode):
    def twin(image, draw):
        if "horizontal" in mode and draw(0) < 0.5:
            image = image[:, ::-1]
        if "vertical" in mode and draw(1) < 0.5:
            image = image[::-1]
        return image

    return twin


def window(sizes, tops, lefts, mode="constant", value=0.0):
    """Return the twin of a window whose corner is drawn from the ranges `tops` and `lefts`."""

    def twin(image, draw):
        top, left = whole(draw, 0, *tops), whole(draw, 1, *lefts)
        margin = max(sizes) + max(map(abs, (*tops, *lefts)))
        options = {"constant_values": value} if mode == "constant" else {}
        around = [(margin, margin), (margin, margin), (0, 0)]
        wide = np.pad(image, around, mode=NUMPY_MODES[mode], **options)
        return wide[margin + top :, margin + left :][: sizes[0], : sizes[1]]

    return twin


def affine(coordinates, mode="reflect", value=0.0):
    """Return the twin that reads at `coordinates(draw, y, x, height, width)`."""

    def twin(image, draw):
        height, width, channels = image.shape
        y, x = np.mgrid[:height, :width].astype(float)
        points = coordinates(draw, y, x, height, width)
        planes = [
            ndimage.map_coordinates(
                image[..., c], points, order=1, mode=SCIPY_MODES[mode], cval=value
            )
            for c in range(channels)
        ]
        return np.stack(planes, axis=-1)

    return twin


def translation(down, right, **filling):
    def coordinates(draw, y, x, height, width):
        first, second = uniform(draw, 0, *down), uniform(draw, 1, *right)
        return y - first * height, x - second * width

    return affine(coordinates, **filling)


def rotation(angles, **filling):
    def coordinates(draw, y, x, height, width):
        angle = 2 * math.pi * uniform(draw, 0, *angles)
        y, x = y - (height - 1) / 2, x - (width - 1) / 2
        turned_y = math.cos(angle) * y + math.sin(angle) * x
        turned_x = -math.sin(angle) * y + math.cos(angle) * x
        return turned_y + (height - 1) / 2, turned_x + (width - 1) / 2

    return affine(coordinates, **filling)


def zoom(tall, wide=None, **filling):
    def coordinates(draw, y, x, height, width):
        first = uniform(draw, 0, *tall)
        second = first if wide is None else uniform(draw, 1, *wide)
        y, x = y - (height - 1) / 2, x - (width - 1) / 2
        return (1 + first) * y + (height - 1) / 2, (1 + second) * x + (width - 1) / 2

    return affine(coordinates, **filling)


def brightness(low, high, limits=(-np.inf, np.inf)):
    return lambda image, draw: np.clip(image + uniform(draw, 0, low, high), *limits)


def contrast(low, high, limits=(-np.inf, np.inf)):
    def twin(image, draw):
        mean = image.mean(axis=(0, 1))
        return np.clip((image - mean) * uniform(draw, 0, low, high) + mean, *limits)

    return twin


def cutout(height, width, value=0.0):
    def twin(image, draw):
        image = image.copy()
        top = whole(draw, 0, 0, image.shape[0] - 1) - height // 2
        left = whole(draw, 1, 0, image.shape[1] - 1) - width // 2
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                if top <= y < top + height and left <= x < left + width:
                    image[y, x] = value
        return image

    return twin


def rowwise(twin, shape):
    """Return forward and backward of a twin on rows that hold samples of a shape."""
    image_shape = (1, *shape)[-3:]

    def draws(i, context):
        key = stream(context.seed, context.step, context.slot, i)
        return lambda unit: random_uniform(key, unit, 0, "float64")

    def forward(parameters, x, context):
        changed = [twin(row.reshape(image_shape), draws(i, context)) for i, row in enumerate(x)]
        return np.stack([image.reshape(-1) for image in changed])

    def backward(parameters, x, dy, context):
        dx = np.zeros_like(x)
        for i, row in enumerate(x):
            draw = draws(i, context)
            for j in range(row.size):
                moved = []
                for sign in (1, -1):
                    image = row.copy()
                    image[j] += sign * 2.0**-20
                    moved.append(twin(image.reshape(image_shape), draw).reshape(-1))
                dx[i, j] = (moved[0] - moved[1]) @ dy[i] / 2.0**-19
        return dx, []

    return forward, backward


# --- mixup --------------------------------------------------------------------------------------


def log_gamma(key, alpha):
    """Return the logarithm of a gamma variate, by Marsaglia and Tsang."""
    shape = alpha if alpha >= 1 else alpha + 1
    d = shape - 1 / 3
    unit = 1
    while True:
        normal = random_normal(key, unit, "float64")
        v = (1 + normal / math.sqrt(9 * d)) ** 3
        u = 1 - random_uniform(key, unit + 1, 0, "float64")
        if v > 0 and math.log(u) < normal**2 / 2 + d - d * v + d * math.log(v):
            break
        unit += 2
    boost = math.log(1 - random_uniform(key, 0, 0, "float64")) / alpha if alpha < 1 else 0.0
    return math.log(d) + math.log(v) + boost


def partner_share(alpha, context):
    """Return 1 - lambda."""
    one, other = (
        log_gamma(stream(context.seed, context.step, context.slot, k), alpha) for k in (0, 1)
    )
    return 1 / (1 + math.exp(one - other))


def mixup(alpha):
    def forward(parameters, x, context):
        share = partner_share(alpha, context)
        return (1 - share) * x + share * x[::-1]

    def backward(parameters, x, dy, context):
        share = partner_share(alpha, context)
        return (1 - share) * dy + share * dy[::-1], []

    return forward, backward
