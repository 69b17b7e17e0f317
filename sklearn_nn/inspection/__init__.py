"""Looking into networks: summary tables and plots."""

from sklearn_nn.inspection.complexity_curve import ComplexityCurveDisplay
from sklearn_nn.inspection.learning_rate import find_learning_rate
from sklearn_nn.inspection.learning_rate_display import LearningRateDisplay, suggest_rate
from sklearn_nn.inspection.loss_curve import LossCurveDisplay
from sklearn_nn.inspection.network_summary import Summary, SummaryRow, summary
from sklearn_nn.inspection.weight_histogram import WeightHistogramDisplay

__all__ = [
    "ComplexityCurveDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "Summary",
    "SummaryRow",
    "WeightHistogramDisplay",
    "find_learning_rate",
    "suggest_rate",
    "summary",
]
