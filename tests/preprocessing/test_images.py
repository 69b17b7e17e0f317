"""Resized images against loops and PyTorch; augmented images against the twins of the kernels."""

import numpy as np
import pandas as pd
import pytest

from helpers.naive import augmentation as twins
from helpers.naive.random_numbers import Context
from sklearn_nn import augment_images, resize_images
from sklearn_nn.layers import (
    Cutout,
    Dense,
    Mixup,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    RandomRotation,
)

TYPES = ["uint8", "uint16", "int32", "float16", "float32", "float64"]
SIZES = [((7, 5), (3, 2)), ((7, 5), (14, 10)), ((8, 8), (8, 8)), ((5, 9), (8, 4)), ((1, 6), (3, 1))]


def images(shape, dtype, rng):
    """Random images that fill the range of their type, or 0..1."""
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, endpoint=True, dtype=dtype)


def naive_resize(plane, size):
    """Return a resized plane, place by place: the mean of places near its centre, by distance."""
    for axis, new in enumerate(size):
        old = plane.shape[axis]
        scale, lines = old / new, []
        for k in range(new):
            weights = [
                max(0.0, 1 - abs(j + 0.5 - (k + 0.5) * scale) / max(scale, 1.0)) for j in range(old)
            ]
            lines.append(np.average(plane, axis=axis, weights=weights))
        plane = np.stack(lines, axis=axis)
    return plane


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("old", "new"), SIZES)
def test_resize_equals_naive(old, new, dtype, rng):
    X = images((4, *old, 3), dtype, rng)
    found = resize_images(X, new)
    assert found.dtype == X.dtype
    assert found.shape == (4, *new, 3)
    for i, c in np.ndindex(4, 3):
        exact = naive_resize(X[i, ..., c].astype("float64"), new)
        if found.dtype.kind == "f":
            tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-13}[dtype]
            np.testing.assert_allclose(found[i, ..., c], exact, atol=tolerance)
        else:
            # Halves may be rounded either way.
            assert np.abs(found[i, ..., c] - exact).max() <= 0.5 + 1e-7 * np.abs(exact).max()
    # No value beyond those of the image.
    assert (found.reshape(4, -1).max(1) <= X.reshape(4, -1).max(1)).all()
    assert (found.reshape(4, -1).min(1) >= X.reshape(4, -1).min(1)).all()


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_resize_equals_torch(old, new, rng):
    torch = pytest.importorskip("torch")
    X = images((3, 2, *old), "float64", rng)
    there = torch.nn.functional.interpolate(
        torch.tensor(X), size=new, mode="bilinear", align_corners=False, antialias=True
    )
    found = resize_images(X, new, data_format="channels_first")
    np.testing.assert_allclose(found, there.numpy(), atol=1e-12)


def test_forms_of_one_image_are_alike(rng):
    X = images((5, 6, 7, 2), "float32", rng)
    last = resize_images(X, 4)
    first = resize_images(np.moveaxis(X, -1, 1), 4, data_format="channels_first")
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, atol=1e-6)
    grey = resize_images(X[..., 0], 4)
    np.testing.assert_allclose(grey, last[..., 0], atol=1e-6)
    np.testing.assert_array_equal(resize_images(X[..., 0].tolist(), 4), resize_images(
        X[..., 0].astype("float64"), 4
    ))  # fmt: skip
    # Square from one number; the same size copies.
    assert last.shape == (5, 4, 4, 2)
    same = resize_images(X, (6, 7))
    np.testing.assert_array_equal(same, X)
    assert not np.shares_memory(same, X)


def test_images_of_unequal_sizes(rng):
    """Each as it is by itself."""
    sizes = [(5, 7), (9, 4), (5, 7), (3, 3)]
    images = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in sizes]
    found = resize_images(images, (4, 6))
    assert (found.shape, found.dtype) == ((4, 4, 6, 3), np.uint8)
    for image, own in zip(images, found, strict=True):
        np.testing.assert_array_equal(resize_images(image[np.newaxis], (4, 6))[0], own)
    with pytest.raises(ValueError, match=r"X\[1\] has shape \(9, 4\).*the same channels"):
        resize_images([images[0], images[1][..., 0]], 4)
    with pytest.raises(ValueError, match=r"X\[1\] has dtype float64, but X\[0\] has uint8; bytes"):
        resize_images([images[0], images[2] / 255], 4)


@pytest.mark.parametrize("sizes", [[(5, 7), (5, 7)], [(5, 7), (9, 4)]])
def test_images_as_objects(sizes, rng):
    """As in a column of a data frame."""
    images = [rng.integers(0, 256, (*size, 3)).astype("uint8") for size in sizes]
    column = pd.Series(images, index=[7, 8])
    for given in (column, column.to_numpy()):
        assert given.dtype == object
        np.testing.assert_array_equal(resize_images(given, 4), resize_images(images, 4))


def test_many_images_go_block_by_block(rng, monkeypatch):
    import sklearn_nn.preprocessing.images as module

    X = images((23, 9, 8, 3), "uint8", rng)
    whole = resize_images(X, (5, 12))
    monkeypatch.setattr(module, "_BLOCK_BYTES", 3 * 4 * 5 * 12 * 3 + 1)
    np.testing.assert_array_equal(resize_images(X, (5, 12)), whole)
    assert resize_images(X[:0], 5).shape == (0, 5, 5, 3)


@pytest.mark.parametrize(
    ("X", "size", "options", "message"),
    [
        (np.zeros((4, 4)), 2, {}, r"X has shape \(4, 4\); images are \(n, height, width\)"),
        (np.zeros((2, 0, 4)), 2, {}, "its images are empty"),
        (np.zeros((2, 4, 4), bool), 2, {}, r"X has dtype bool; .* use X.astype\('uint8'\)"),
        (np.zeros((2, 4, 4), complex), 2, {}, "X has dtype complex128"),
        (np.zeros((2, 4, 4)), 0, {}, "size=0 must be a positive whole number"),
        (np.zeros((2, 4, 4)), (2, 3, 4), {}, r"size=\(2, 3, 4\) must be"),
        (np.zeros((2, 4, 4)), 2, {"data_format": "NCHW"}, "data_format='NCHW' is unknown; use"),
    ],
)
def test_invalid_images(X, size, options, message):
    with pytest.raises(ValueError, match=message):
        resize_images(X, size, **options)


# --- augmented images ---------------------------------------------------------------------------


def test_images_are_those_of_training(rng):
    """With the draws of a fit's first step: seed from random_state, row by row of one batch."""
    X = images((6, 7, 5, 3), "float64", rng)
    seed = np.random.RandomState(3).randint(2**31 - 1)
    chain = [RandomRotation(0.1), RandomBrightness(0.2)]
    found = augment_images(X, chain, random_state=3)
    rows = X.reshape(6, -1)
    for slot, twin in enumerate([twins.rotation((-0.1, 0.1)), twins.brightness(-0.2, 0.2)], 1):
        rows = twins.rowwise(twin, (7, 5, 3))[0]([], rows, Context(seed=seed, slot=slot))
    np.testing.assert_allclose(found, rows.reshape(X.shape), rtol=1e-10, atol=1e-10)
    assert found.dtype == X.dtype
    np.testing.assert_array_equal(augment_images(X, chain, random_state=3), found)
    assert (augment_images(X, chain, random_state=4) != found).any()
    mixed = augment_images(X, Mixup(1.0), random_state=3)
    expected = twins.mixup(1.0)[0]([], X.reshape(6, -1), Context(seed=seed))
    np.testing.assert_allclose(mixed.reshape(6, -1), expected, rtol=1e-12)


def test_forms_of_images_to_augment(rng):
    X = images((5, 6, 8, 2), "float32", rng)
    chain = [RandomFlip(), ("crop", RandomCrop(4, 5))]
    last = augment_images(X, chain, random_state=0)
    assert last.shape == (5, 4, 5, 2)
    first = augment_images(
        np.moveaxis(X, -1, 1), chain, random_state=0, data_format="channels_first"
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)
    grey = augment_images(X[..., 0], chain, random_state=0)
    np.testing.assert_array_equal(grey, last[..., 0])
    whole = (X * 255).astype("uint8")
    bright = augment_images(whole, RandomFlip(), random_state=0)
    assert bright.dtype == np.float32
    assert set(np.unique(bright)) == set(np.unique(whole.astype("float32") / np.float32(255)))
    signals = augment_images(X.reshape(5, -1), Cutout(3), random_state=0, input_shape=(48, 2))
    assert signals.shape == (5, 48, 2)
    assert ((signals == 0).all(axis=2).sum(axis=1) >= 2).all()


def test_invalid_augmentations():
    X = np.zeros((2, 4, 4))
    for wrong in (Dense(3), [RandomFlip(), "flip"], None):
        with pytest.raises(ValueError, match="is not a layer that acts only in training"):
            augment_images(X, wrong)
    with pytest.raises(ValueError, match="layer 'randomcrop1': height=9"):
        augment_images(X, RandomCrop(9))
    with pytest.raises(ValueError, match="images are"):
        augment_images(X[0], RandomFlip())
