"""Drawing: matplotlib is asked for only when something is drawn."""

#: Colours by their place in matplotlib's cycle, so that a user's style holds.
TRAINING, VALIDATION, MARK = "C0", "C1", "0.35"


def pyplot(caller):
    """matplotlib.pyplot, or an error that says who needs it and how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{caller} needs matplotlib; install it with: pip install "sklearn_nn[plot]"'
        ) from error
    return plt


def axes_or_new(ax, caller, figsize):
    """The axes to draw on; a new figure of `figsize` inches where there are none."""
    plt = pyplot(caller)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax
