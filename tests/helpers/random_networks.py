"""Random networks with data, and their parameters in the form of the naive twins."""

from helpers.comparison import assert_close
from helpers.layer_cases.vectors import (
    RESIDUAL,
    activation,
    batch_norm,
    dense,
    dropout,
    layer_norm,
    noise,
)
from helpers.loss_cases import LOSSES, sample
from helpers.programs import build
from sklearn_nn.layers.activation import ACTIVATIONS

BY_NAME = {case.name: case for case in LOSSES}


def parameters_of(stack, program, theta):
    """Return the parameters in theta, layer by layer: the form of the twins."""
    found = []
    for k in range(len(stack)):
        own = program.layers.get(f"layer{k}", {})
        found.append([placed.view(theta).astype("float64") for placed in own.values()])
    return found


def assert_parameters_close(actual, expected, dtype, factor=1.0):
    """Assert that two lists of parameters of layers agree."""
    for own, wanted in zip(actual, expected, strict=True):
        for a, b in zip(own, wanted, strict=True):
            assert_close(a, b, dtype, factor)


def random_stack(rng, n_outputs):
    """Draw a network: any layer, any width, residual branches."""
    # No exp: stacked, it takes a log loss to its limit, where value and gradient part.
    choices = [name for name in ACTIVATIONS if name != "exp"]
    stack = []
    for _ in range(rng.integers(1, 5)):
        stack.append(dense(int(rng.integers(1, 8))))
        for _ in range(rng.integers(0, 4)):
            # An epsilon so large that differences approximate slopes though a variance is small.
            kinds = [
                dropout(float(rng.uniform(0, 0.7))), noise(float(rng.uniform(0, 0.7))), RESIDUAL,
                batch_norm(0.5), layer_norm(0.5), activation(str(rng.choice(choices))),
            ]  # fmt: skip
            stack.append(kinds[rng.integers(len(kinds))])
    return [*stack, dense(n_outputs)]


def random_problem(rng, dtype="float64"):
    """Draw a network with a random loss, data, targets and weights."""
    case = LOSSES[rng.integers(len(LOSSES))]
    stack = random_stack(rng, case.n_outputs)
    width, n = (int(k) for k in rng.integers(1, 10, 2))
    program = build(stack, width, dtype, case.loss)
    X, y, weight = sample(rng, case, n, width, dtype)
    return case, stack, program, X, y, weight if rng.random() < 0.5 else None
