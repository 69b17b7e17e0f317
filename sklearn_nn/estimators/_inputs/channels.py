"""Detection of images whose axis of channels contradicts `data_format`."""

from __future__ import annotations

from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST

#: Numbers of channels of grey, RGB and RGBA images.
_USUAL = (1, 3, 4)
#: Smallest number of pixels of a side; a shorter axis is ambiguous.
_SMALLEST = 8
#: Largest ratio of the sides of an image.
_LONGEST = 3


def misplaced_channels(axes, data_format, otherwise):
    """Return a warning if images seem to have their channels on another axis, else None.

    `axes` is the shape of an image as passed, and `otherwise` ends the text with what to do if that
    shape is intended. Suspicious is an axis of 1, 3 or 4 beside two long ones of similar length, in
    the place where `data_format` has none.
    """
    if len(axes) != 3:
        return None
    is_first = data_format == CHANNELS_FIRST
    channels, sides = (axes[-1], axes[:-1]) if is_first else (axes[0], axes[1:])
    # An axis of 1 may also be a height of one pixel, unless the other axes are of similar length.
    longest = _LONGEST if channels > 1 else _LONGEST - 1
    if channels not in _USUAL or min(sides) < _SMALLEST or max(sides) > longest * min(sides):
        return None
    height, width, read = (axes[1], axes[2], axes[0]) if is_first else axes
    other = CHANNELS_LAST if is_first else CHANNELS_FIRST
    return (
        f"X has samples of shape {axes}, which with data_format={data_format!r} are images of "
        f"{height} x {width} pixels with {read} channels. If the axis of {channels} is that of the "
        f"channels, set data_format={other!r}{otherwise}."
    )
