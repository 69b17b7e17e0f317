"""The encoding of tables cell by cell in plain Python: the oracle of the encoder."""

import math


def is_missing(cell):
    return cell is None or cell != cell


def quantile(values, level):
    """Return the mean of the two values around a level, or the value that it falls into."""
    values, place = sorted(values), level * len(values)
    if place == int(place):
        place = int(place)
        return (values[max(place - 1, 0)] + values[min(place, len(values) - 1)]) / 2
    return values[math.floor(place)]


def robust(values):
    """Return the encoded value of each value."""
    median = quantile(values, 0.5)
    spread = quantile(values, 0.75) - quantile(values, 0.25)
    reach = max(values) - min(values)
    factor = 1 / spread if spread else 2 / reach if reach else 0.0

    def scale(value):
        if value == median:
            return 0.0
        x = max(-1e100, min(1e100, (value - median) * factor))
        return x / math.sqrt(1 + (x / 3) ** 2)

    return median, scale


def encode(fitted, table, is_category, max_one_hot=9):
    """Return rows of `table` as an encoder fitted to `fitted` encodes them; lists of rows."""
    blocks = [[], [], [], []]
    for j, category in enumerate(is_category):
        seen, cells = [row[j] for row in fitted], [row[j] for row in table]
        known = [cell for cell in seen if not is_missing(cell)]
        encode_column = _category if category else _number
        for block, columns in zip(
            blocks, encode_column(seen, known, cells, max_one_hot), strict=True
        ):
            block.extend(columns)
    columns = [column for block in blocks for column in block]
    return [list(row) for row in zip(*columns, strict=True)], [len(block) for block in blocks]


def _number(seen, known, cells, max_one_hot):
    if not known:
        return [[0.0] * len(cells)], [], [], []
    median, scale = robust(known)
    numbers = [scale(median if is_missing(cell) else cell) for cell in cells]
    if len(known) == len(seen):
        return [numbers], [], [], []
    _, scale = robust([float(is_missing(cell)) for cell in seen])
    return [numbers], [[scale(float(is_missing(cell))) for cell in cells]], [], []


def _category(seen, known, cells, max_one_hot):
    categories = sorted(set(known), key=lambda value: (isinstance(value, str), value))
    if len(categories) + (len(known) < len(seen)) > max_one_hot:
        numbers = [categories.index(c) + 1 if c in categories else 0 for c in cells]
        return [], [], [], [numbers]

    def code(cell, category):
        if len(categories) == 2:
            return {categories[0]: -1.0, categories[1]: 1.0}.get(cell, 0.0)
        return float(cell == category)

    columns = []
    for category in categories[1:] if len(categories) == 2 else categories:
        _, scale = robust([code(cell, category) for cell in seen])
        columns.append([scale(code(cell, category)) for cell in cells])
    return [], [], columns, []
