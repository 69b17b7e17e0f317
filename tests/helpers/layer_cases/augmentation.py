"""One row for every layer that augments images or signals, with its naive twin."""

from helpers.layer_cases.base import LayerCase, Plan, Tolerance
from helpers.naive import augmentation as twins
from sklearn_nn.layers import (
    Cutout,
    Mixup,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from sklearn_nn.layers.augmentation.base import FILL_MODES

SHAPES = [(7, 5, 1), (6, 9, 3), (5, 8, 5)]
SIGNAL = (11, 2)
PLAN = Plan(
    batches=(1, 6),
    # The twin's gradient is of differences, which are exact to about 2**-32.
    tolerance=Tolerance(twin_error=1e-7),
    row_slices=(slice(0, 1), slice(3, 4), slice(0, 8), slice(2, 11)),
    all_gradients=False,  # no parameters; the twin's gradient is of differences already
)


def row(layer, shape, twin):
    """Return a row for a layer whose twin changes one sample."""
    name = f"{layer}-{'x'.join(map(str, shape))}".replace(" ", "")
    return LayerCase(name, layer, (shape,), *twins.rowwise(twin, shape), PLAN)


def crop(shape, height, width, padding, mode="constant", value=0.0):
    """Return a row for a crop; None stands for the whole axis."""
    above, beside = (0, padding) if len(shape) == 2 else (padding, padding)
    whole = (1, *shape)[-3:-1]
    sizes = [whole[0] if height is None else height, whole[1] if width is None else width]
    tops, lefts = (
        (-m, n + m - size) for n, m, size in zip(whole, (above, beside), sizes, strict=True)
    )
    layer = RandomCrop(height, width, padding=padding, fill_mode=mode, fill_value=value)
    return row(layer, shape, twins.window(sizes, tops, lefts, mode, value))


def filled(mode):
    return {"mode": mode, "value": 0.25}


LINEAR = [
    *(
        row(RandomFlip(mode), shape, twins.flip(mode))
        for shape in SHAPES
        for mode in ("horizontal", "vertical", "horizontal_and_vertical")
    ),
    row(RandomFlip(), SIGNAL, twins.flip("horizontal")),
    *(crop(shape, None, None, 3, mode, 0.5) for shape in SHAPES for mode in FILL_MODES),
    *(crop(SHAPES[1], None, None, 14, mode) for mode in FILL_MODES),  # beyond the image twice over
    *(crop(shape, 4, 3, 0) for shape in SHAPES),
    crop((7, 5, 1), None, 3, 0),
    crop((7, 5, 2), 9, 4, 2, "nearest"),
    *(crop(SIGNAL, None, None, 4, mode, -1.0) for mode in FILL_MODES),
    crop(SIGNAL, None, 6, 1),
    *(
        row(
            RandomTranslation(0.3, (-0.2, 0.5), mode, fill_value=0.25),
            shape,
            twins.translation((-0.3, 0.3), (-0.2, 0.5), **filled(mode)),
        )
        for shape in SHAPES
        for mode in FILL_MODES
    ),
    row(
        RandomTranslation(0, 0.4, fill_mode="wrap"),
        SIGNAL,
        twins.translation((0, 0), (-0.4, 0.4), mode="wrap"),
    ),
    row(
        RandomTranslation((0.2, 0.5), 0.3, "nearest", "nearest"),
        (7, 5, 1),
        twins.window((7, 5), (-4, -1), (-2, 2), "nearest"),
    ),
    row(
        RandomTranslation(0, (-0.5, 0), "constant", "nearest", fill_value=2.0),
        SIGNAL,
        twins.window((1, 11), (0, 0), (0, 6), "constant", 2.0),
    ),
    *(
        row(
            RandomRotation(0.2, mode, fill_value=0.25),
            shape,
            twins.rotation((-0.2, 0.2), **filled(mode)),
        )
        for shape in SHAPES
        for mode in FILL_MODES
    ),
    row(RandomRotation((0.3, 0.6)), (1, 6, 2), twins.rotation((0.3, 0.6))),
    *(
        row(
            RandomZoom((-0.4, 0.8), 0.3, mode, fill_value=0.25),
            shape,
            twins.zoom((-0.4, 0.8), (-0.3, 0.3), **filled(mode)),
        )
        for shape in SHAPES
        for mode in FILL_MODES
    ),
    row(RandomZoom((3.0, 5.0), fill_mode="reflect"), (6, 7, 1), twins.zoom((3.0, 5.0))),
    row(RandomZoom(0.5), (6, 7, 1), twins.zoom((-0.5, 0.5))),
    *(row(RandomBrightness(0.3), shape, twins.brightness(-0.3, 0.3)) for shape in SHAPES),
    *(row(RandomContrast((0.8, 2.0)), shape, twins.contrast(0.2, 3.0)) for shape in SHAPES),
    *(row(Cutout(3, 0.7), shape, twins.cutout(3, 3, 0.7)) for shape in SHAPES),
    row(Cutout((2, 40)), SHAPES[1], twins.cutout(2, 40)),
    row(Cutout(4), SIGNAL, twins.cutout(1, 4)),
]
#: Clipped values have a kink where they are clipped: no drawn value lies that near to it.
CLIPPED = [
    row(RandomBrightness((-0.1, 0.4), (-1, 1)), SHAPES[1], twins.brightness(-0.2, 0.8, (-1, 1))),
    *(
        row(RandomContrast(0.9, (-1, 1)), shape, twins.contrast(0.1, 1.9, (-1, 1)))
        for shape in SHAPES
    ),
]
MIXED = [
    LayerCase(
        f"mixup-{alpha}-{shape}", Mixup(alpha), (shape,), *twins.mixup(alpha), PLAN, over_batch=True
    )
    for alpha, shape in [(0.2, (6, 5, 3)), (1.0, (4,)), (3.0, (9, 2))]
]
CASES = [*LINEAR, *CLIPPED, *MIXED]
