"""Inspection of networks: summaries, plots and saliency."""

from sklearn_nn.inspection.attribution import Attributions, attributions
from sklearn_nn.inspection.attribution_display import AttributionDisplay
from sklearn_nn.inspection.complexity_curve import ComplexityCurveDisplay
from sklearn_nn.inspection.convolution import FeatureMapDisplay, FilterDisplay
from sklearn_nn.inspection.learning_rate import (
    LearningRateDisplay,
    find_learning_rate,
    suggest_rate,
)
from sklearn_nn.inspection.loss_curve import LossCurveDisplay
from sklearn_nn.inspection.misclassified import MisclassifiedDisplay
from sklearn_nn.inspection.model_card import model_card
from sklearn_nn.inspection.network_summary import Summary, SummaryRow, summary
from sklearn_nn.inspection.saliency import SaliencyDisplay, occlusion_map, saliency_map
from sklearn_nn.inspection.weight_histogram import WeightHistogramDisplay

__all__ = [
    "AttributionDisplay",
    "Attributions",
    "ComplexityCurveDisplay",
    "FeatureMapDisplay",
    "FilterDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "MisclassifiedDisplay",
    "SaliencyDisplay",
    "Summary",
    "SummaryRow",
    "WeightHistogramDisplay",
    "attributions",
    "find_learning_rate",
    "model_card",
    "occlusion_map",
    "saliency_map",
    "suggest_rate",
    "summary",
]
