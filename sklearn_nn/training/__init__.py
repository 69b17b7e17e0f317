"""Training: losses, optimizers, schedules, callbacks, and the training loop.

The classes that users pass to estimators as objects can be imported from here.
"""

from sklearn_nn._hints import missing_names
from sklearn_nn.training import callbacks, loggers, losses, optimizers, schedules
from sklearn_nn.training.callbacks import *
from sklearn_nn.training.checkpoint import CheckpointError as CheckpointError
from sklearn_nn.training.loggers import *
from sklearn_nn.training.losses import *
from sklearn_nn.training.optimizers import *
from sklearn_nn.training.schedules import *

__all__ = ["CheckpointError"]
__all__ += callbacks.__all__
__all__ += loggers.__all__
__all__ += losses.__all__
__all__ += optimizers.__all__
__all__ += schedules.__all__
__getattr__ = missing_names(__name__, lambda: __all__)
