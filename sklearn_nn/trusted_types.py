"""Names of the classes that fitted estimators hold, for loaders that ask which ones to trust."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from sklearn_nn._spec import Spec
from sklearn_nn.distributed.rounds import Backup
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.fitted_network import FittedNetwork, Place, Plan
from sklearn_nn.estimators._core.parts import Part
from sklearn_nn.estimators._core.saving import import_all, subclasses
from sklearn_nn.estimators._core.transfer import Pretrained
from sklearn_nn.estimators._inputs.scale import Moments
from sklearn_nn.estimators._targets.steps import Steps
from sklearn_nn.estimators.feature_extractor import FeatureExtractor
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.preprocessing import ImageResizer, SequenceScaler
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import OptimizerState

#: Classes whose subclasses are held, too: estimators, layers, solvers, readers, ...
_FAMILIES = (BaseNetwork, Part, Spec)
_OTHERS = (
    Backup, FeatureExtractor, FittedNetwork, History, ImageResizer, Moments, OptimizerState, Place,
    Plan, Pretrained, SequenceScaler, Steps, TableEncoder,
)  # fmt: skip


def _names() -> Iterator[str]:
    import_all()
    for kind in (*_OTHERS, *chain.from_iterable(map(subclasses, _FAMILIES))):
        if kind.__module__.startswith("sklearn_nn."):
            yield f"{kind.__module__}.{kind.__qualname__}"


#: Names of all classes of this package that a fitted estimator may hold, as in
#: ``skops.io.load(path, trusted=sklearn_nn.TRUSTED_TYPES)``.
TRUSTED_TYPES: tuple[str, ...] = tuple(sorted({*_names()}))
