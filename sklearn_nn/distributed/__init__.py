"""Training of one network on several processes or machines, by Dask or Ray."""

from sklearn_nn.distributed.fit import fit

__all__ = ["fit"]
