"""Text as a language model reads it: characters by number, in streams and passages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_nn.network.source import in_windows, sequences

#: Places of all passages of a block, those behind their ends included: what scoring takes memory
#: for at a time.
_BLOCK = 2**22
#: A validation passage is so many windows long, behind the one that it only reads.
_PASSAGE = 20


def listed_texts(X):
    """X as a list of strings.

    Parameters
    ----------
    X : str, or list, tuple or one-dimensional array of str

    Raises
    ------
    TypeError
        If X is something else.
    ValueError
        If it is an empty list.
    """
    if isinstance(X, str):
        return [X]
    if isinstance(X, bytes | bytearray):
        raise TypeError("X is bytes, not text; decode it first: X.decode('utf-8').")
    if hasattr(X, "to_numpy"):  # a column of a data frame
        X = X.to_numpy()
    is_array = isinstance(X, np.ndarray) and X.ndim == 1
    if not is_array and not isinstance(X, list | tuple):
        raise TypeError(f"X is a {type(X).__name__}; pass one string, or a list of strings.")
    for index, item in enumerate(X):
        if not isinstance(item, str):
            raise TypeError(
                f"X[{index}] is a {type(item).__name__}; pass one string, or a list of strings."
            )
    if len(X) == 0:
        raise ValueError("X is a list without texts; pass one string, or a list of strings.")
    return [str(item) for item in X]


def _code_points(text):
    """The numbers of the characters in Unicode."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def characters_of(text):
    """The characters of a text, each once, in their order."""
    return "".join(sorted(set(text)))


def checked_vocabulary(vocabulary):
    """The characters that a user allows, each once, in their order.

    Raises
    ------
    ValueError
        If there is something else among them than single characters, or nothing.
    """
    characters = list(vocabulary)
    for character in characters:
        if not isinstance(character, str) or len(character) != 1:
            raise ValueError(
                f"vocabulary holds {character!r}, which is no single character; pass a string of "
                "all characters."
            )
    if not characters:
        raise ValueError("vocabulary is empty; pass a string of all characters, or None.")
    return characters_of(characters)


def encoded(text, vocabulary, name="X"):
    """Each character's place in the vocabulary: bytes where these do.

    Raises
    ------
    ValueError
        If a character is not in the vocabulary.
    """
    known, points = _code_points(vocabulary), _code_points(text)
    places = np.minimum(np.searchsorted(known, points), known.size - 1)
    unknown = known[places] != points
    if unknown.any():
        place = int(unknown.argmax())
        raise ValueError(
            f"{name} holds {text[place]!r} (U+{int(points[place]):04X}, at {place}), which is none "
            f"of the {known.size} characters that the network knows; leave it out, or fit with a "
            "vocabulary that has it."
        )
    return places.astype(np.uint8 if known.size <= 256 else np.int32)


class Streams(NamedTuple):
    """A text cut into stretches that are read side by side, window by window.

    Attributes
    ----------
    inputs, targets : ndarray of shape (n_streams, length)
        Characters by number, and those that follow them.
    windows : int
        Windows of a stream.
    """

    inputs: np.ndarray
    targets: np.ndarray
    windows: int

    def source(self, dtype):
        """In the form the machine gathers batches from."""
        inputs = self.inputs
        if inputs.dtype != np.uint8:
            inputs = inputs.astype(dtype)
        return in_windows(inputs, self.windows, dtype)


def streams(codes, n_streams, window):
    """Cut a text of at least two characters into streams.

    They end at equal distances, and are fewer where they would be shorter than a window. Windows
    are all of one length, `window` at most. For all to be full, a stream may begin a little before
    the end of the one before, so no character is left out; but where there is one stream, some
    characters at the beginning may be: fewer than there are windows.
    """
    n = codes.size - 1
    n_streams = int(np.clip(n // window, 1, n_streams))
    stretch = -(-n // n_streams)
    windows = -(-stretch // window)
    length = windows * min(-(-stretch // windows), n // windows)
    starts = np.maximum(n * np.arange(1, n_streams + 1) // n_streams - length, 0)
    places = starts[:, np.newaxis] + np.arange(length)
    return Streams(codes[places], codes[places + 1], windows)


class Passages(NamedTuple):
    """Stretches of text, each of which is read from its beginning with nothing remembered.

    Attributes
    ----------
    codes : ndarray of shape (n_characters,)
        Texts one after another.
    starts, lengths : ndarray of shape (n_passages,)
        Where each begins, and how many characters it reads. What follows each character is known.
    unscored : ndarray of shape (n_passages,)
        How many of the first ones do not count: they are read to have something to remember.
    """

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    unscored: np.ndarray

    def source(self, dtype, window):
        """In the form the machine gathers batches from."""
        codes = self.codes if self.codes.dtype == np.uint8 else self.codes.astype(dtype)
        return sequences(codes, self.starts, self.lengths, 1, dtype, window)

    def targets(self, window):
        """The characters that follow, and their weights; 0 behind the end of a passage.

        Returns
        -------
        targets : ndarray of shape (n_passages, n, 1)
        weight : ndarray of shape (n_passages, n)
        """
        room = -(-int(self.lengths.max()) // window) * window
        steps = np.arange(room)
        own = steps < self.lengths[:, np.newaxis]
        counts = own & (steps >= self.unscored[:, np.newaxis])
        places = np.where(own, self.starts[:, np.newaxis] + 1 + steps, 0)
        return self.codes[places][:, :, np.newaxis], counts.astype(np.float32)

    def blocks(self):
        """The same passages, as many at a time as memory allows, those of one length together."""
        order = np.argsort(self.lengths, kind="stable")[::-1]
        while order.size:
            n = max(1, _BLOCK // int(self.lengths[order[0]]))
            own, order = order[:n], order[n:]
            yield Passages(self.codes, self.starts[own], self.lengths[own], self.unscored[own])


def whole_passages(texts):
    """Every text a passage. Those of one character have nothing to predict.

    Parameters
    ----------
    texts : list of ndarray
        Characters by number.

    Raises
    ------
    ValueError
        If there is nothing to predict at all.
    """
    lengths = np.array([codes.size for codes in texts])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    kept = lengths > 1
    if not kept.any():
        raise ValueError("X holds no text of two characters or more, so nothing can be predicted.")
    unscored = np.zeros(int(kept.sum()), dtype=np.int64)
    return Passages(np.concatenate(texts), starts[kept], lengths[kept] - 1, unscored)


def short_passages(texts, window):
    """Texts cut into passages that can be read side by side, each with the window before it.

    Every character but the first of each text counts once. A window is enough for a network that
    was trained in windows to know what it would know with all that came before.
    """
    whole = whole_passages(texts)
    starts, lengths, unscored = [], [], []
    for start, length in zip(whole.starts, whole.lengths, strict=True):
        n = -(-length // (_PASSAGE * window))
        ends = length * np.arange(1, n + 1) // n
        begins = np.concatenate([[0], ends[:-1]])
        firsts = np.maximum(begins - window, 0)
        starts.append(start + firsts)
        lengths.append(ends - firsts)
        unscored.append(begins - firsts)
    return Passages(whole.codes, *map(np.concatenate, (starts, lengths, unscored)))
