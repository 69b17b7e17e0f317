"""Images whose channels seem to lie on another axis than `data_format` says."""

from __future__ import annotations

from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST

#: Grey, colours, colours and opacity.
_USUAL = (1, 3, 4)
#: Images have at least so many pixels a side; below, an axis of so many may be anything.
_SMALLEST = 8
#: How much longer than the other one side of an image is at most.
_LONGEST = 3


def misplaced_channels(axes, data_format, otherwise):
    """What to say of images that have the shape of others with their channels elsewhere.

    Parameters
    ----------
    axes : tuple of int
        Shape of an image as it came.
    data_format : {"channels_last", "channels_first"}
        Where its channels are said to be.
    otherwise : str
        What to do if the shape is meant; may be empty.

    Returns
    -------
    message : str or None
        None where nothing is strange: an axis of 1, 3 or 4 beside two long ones of like length is.
    """
    if len(axes) != 3:
        return None
    is_first = data_format == CHANNELS_FIRST
    channels, sides = (axes[-1], axes[:-1]) if is_first else (axes[0], axes[1:])
    # A strip of one pixel's height with many channels is nothing strange, unless it is square.
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
