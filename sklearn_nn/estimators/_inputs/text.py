"""Text as input of a language model: character codes in streams and passages."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sklearn_nn.network.source import in_windows, sequences

#: Strings of the form of a path: no white space, a separator and an extension, or one of texts.
_PATH = re.compile(
    r"\S*[/\\][^\s/\\]*\.\w{1,5}|\S+\.(?:txt|text|csv|tsv|jsonl?|md|rst|log|html?|xml|gz)", re.I
)
_ADDRESS = re.compile(r"(?:https?|ftp)://\S+", re.I)
#: Longer strings are texts.
_LONGEST_PATH = 300
#: Characters, padding included, that are scored at a time, which limits the use of memory.
_BLOCK = 2**22
#: Windows of a validation passage, after the first window, which is read but not scored.
_PASSAGE = 20


def listed_texts(X):
    """Return a text, or a list, tuple or one-dimensional array of texts, as a list of str.

    A text is a str, or the path of a file in UTF-8 as an `os.PathLike`, such as pathlib.Path.
    """
    if isinstance(X, str | os.PathLike):
        return [_text(X)]
    if isinstance(X, bytes | bytearray):
        raise TypeError("X is bytes, not text; decode it first: X.decode('utf-8').")
    if hasattr(X, "to_numpy"):  # a column of a data frame
        X = X.to_numpy()
    wanted = "pass one string, or a list of strings."
    is_array = isinstance(X, np.ndarray) and X.ndim == 1
    if not is_array and not isinstance(X, list | tuple):
        raise TypeError(f"X is a {type(X).__name__}; {wanted}")
    for index, item in enumerate(X):
        if not isinstance(item, str | os.PathLike):
            raise TypeError(f"X[{index}] is a {type(item).__name__}; {wanted}")
    if len(X) == 0:
        raise ValueError(f"X is a list without texts; {wanted}")
    return [_text(item) for item in X]


def _text(item):
    """Return a string unchanged, or the text of a file; raise ValueError if it is not in UTF-8."""
    if isinstance(item, str):
        return str(item)
    path = Path(item)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        remedy = f"pass its text, pathlib.Path({str(path)!r}).read_text(encoding=...)"
        if path.suffix == ".gz":
            remedy = f"pass its text, gzip.open({str(path)!r}, 'rt', encoding='utf-8').read()"
        raise ValueError(f"The file {str(path)!r} is not a text in UTF-8; {remedy}.") from error


def check_no_path(X, name="X"):
    """Raise ValueError if X is a string with the form of a path or a URL, in place of a text."""
    if not isinstance(X, str) or len(X) > _LONGEST_PATH or "\n" in X:
        return
    try:
        is_path = Path(X).is_file()
    except (OSError, ValueError):  # a name that is too long, or not possible
        is_path = False
    in_list = "(A text of this form can be passed in a list.)"
    if _ADDRESS.fullmatch(X):
        raise ValueError(
            f"{name}={X!r} is an address, not a text; pass its text, "
            f"urllib.request.urlopen({X!r}).read().decode('utf-8'). {in_list}"
        )
    if is_path or _PATH.fullmatch(X):
        missing = "" if is_path else ", and there is no such file"
        raise ValueError(
            f"{name}={X!r} is the path of a file, not a text{missing}; pass its text, "
            f"pathlib.Path({X!r}).read_text(), or the Path itself. {in_list}"
        )


def _code_points(text):
    """Return the Unicode code points of the characters."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def characters_of(text):
    """Return the distinct characters of a text, sorted."""
    return "".join(sorted(set(text)))


def checked_vocabulary(vocabulary):
    """Return the distinct characters of a given vocabulary, sorted, or raise ValueError."""
    characters = list(vocabulary)
    for character in characters:
        if not isinstance(character, str) or len(character) != 1:
            raise ValueError(
                f"vocabulary holds {character!r}, which is not a single character; pass a string "
                "of all characters."
            )
    if not characters:
        raise ValueError("vocabulary is empty; pass a string of all characters, or None.")
    return characters_of(characters)


def encoded(text, vocabulary, name="X"):
    """Return each character's index in the vocabulary; `name` is that of the text in errors."""
    known, points = _code_points(vocabulary), _code_points(text)
    places = np.minimum(np.searchsorted(known, points), known.size - 1)
    unknown = known[places] != points
    if unknown.any():
        place = int(unknown.argmax())
        raise ValueError(
            f"{name} holds {text[place]!r} (U+{int(points[place]):04X}, at {place}), which is not "
            f"among the {known.size} characters of the vocabulary; leave it out, or fit with a "
            "vocabulary that has it."
        )
    return places.astype(np.uint8 if known.size <= 256 else np.int32)


class Streams(NamedTuple):
    """Text cut into streams that are read in parallel, in the given number of `windows`.

    `inputs` and `targets` (n_streams, length) are codes, and the codes that follow them.
    """

    inputs: np.ndarray
    targets: np.ndarray
    windows: int

    def source(self, dtype):
        """Return the source of batches for the machine."""
        return in_windows(self.inputs, self.windows, dtype)


def streams(codes, n_streams, window):
    """Cut the codes of a text, at least two, into at most `n_streams` streams.

    Streams end at equal distances; there are fewer if they would be shorter than a window. All
    windows have one length, at most `window`; a stream may therefore overlap with the previous one,
    and a single stream may leave out characters at the beginning, fewer than there are windows.
    """
    n = codes.size - 1
    n_streams = int(np.clip(n // window, 1, n_streams))
    distance = -(-n // n_streams)
    windows = -(-distance // window)
    length = windows * min(-(-distance // windows), n // windows)
    starts = np.maximum(n * np.arange(1, n_streams + 1) // n_streams - length, 0)
    places = starts[:, np.newaxis] + np.arange(length)
    return Streams(codes[places], codes[places + 1], windows)


class Passages(NamedTuple):
    """Passages of text, each read from its start with a zero state.

    `codes` are the texts one after another. For each passage, `starts` and `lengths` hold the first
    character and the number of input characters, each of which has a following character in
    `codes`; the first `unscored` characters only build up the state and are not scored.
    """

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    unscored: np.ndarray

    def source(self, dtype, window):
        """Return the source of batches for the machine."""
        return sequences(self.codes, self.starts, self.lengths, 1, dtype, window)

    def targets(self, window):
        """Return the next characters, (n_passages, n, 1), and weights: 0 for those not scored."""
        room = -(-int(self.lengths.max()) // window) * window
        steps = np.arange(room)
        own = steps < self.lengths[:, np.newaxis]
        counts = own & (steps >= self.unscored[:, np.newaxis])
        places = np.where(own, self.starts[:, np.newaxis] + 1 + steps, 0)
        return self.codes[places][:, :, np.newaxis], counts.astype(np.float32)

    def blocks(self):
        """Yield the passages in blocks of limited size, sorted by length."""
        order = np.argsort(self.lengths, kind="stable")[::-1]
        while order.size:
            n = max(1, _BLOCK // int(self.lengths[order[0]]))
            own, order = order[:n], order[n:]
            yield Passages(self.codes, self.starts[own], self.lengths[own], self.unscored[own])


def whole_passages(texts):
    """Return each text, an array of codes, as a passage; texts of one character are left out."""
    lengths = np.array([codes.size for codes in texts])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    kept = lengths > 1
    if not kept.any():
        raise ValueError("X holds no text of two characters or more; pass longer texts.")
    unscored = np.zeros(int(kept.sum()), dtype=np.int64)
    return Passages(np.concatenate(texts), starts[kept], lengths[kept] - 1, unscored)


def short_passages(texts, window):
    """Return texts cut into passages for parallel reading, each with the window before it.

    That window builds up the state of a network that was trained in windows.
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
