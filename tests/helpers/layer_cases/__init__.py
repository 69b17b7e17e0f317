"""The table of all layers, with their naive twins: one file for each family.

A new layer gets a row in its family's table: a test fails until it has one.
"""

from helpers.layer_cases import augmentation, images, recurrent, sequences, tabular, vectors

FAMILIES = (vectors, images, augmentation, sequences, recurrent, tabular)
#: The rows that have a naive twin.
CASES = [*vectors.GROUPED, *(case for family in FAMILIES for case in family.CASES)]
