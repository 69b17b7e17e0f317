"""Hints in errors about names: the nearest one, and what other libraries call a parameter."""

from __future__ import annotations

import difflib
import dis
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

#: Parameters, and what other libraries call them. A name may stand for several parameters; the
#: first that a class has is meant.
_OTHER_NAMES = {
    "max_iter": "epochs n_epochs num_epochs max_epochs nb_epoch nb_epochs epoch n_iter iterations",
    "learning_rate_init": "lr eta eta0 base_lr init_lr lr_init initial_learning_rate step_size",
    "learning_rate": "lr_scheduler lr_schedule scheduler schedule",
    "solver": "optimizer optimiser optim",
    "batch_size": "batchsize batch minibatch_size bs",
    "n_iter_no_change": "patience early_stopping_rounds",
    "validation_fraction": "validation_split val_split val_fraction val_size",
    "early_stopping": "restore_best_weights",
    "scoring": "metrics metric eval_metric monitor",
    "alpha": "l2 l2_penalty l2_regularization regularization kernel_regularizer reg_lambda",
    "weight_decay": "alpha l2 l2_penalty l2_regularization regularization reg_lambda wd",
    "hidden_size": "units hidden_units hidden_dim n_units rnn_units hidden_layer_sizes",
    "num_layers": "n_layers layers",
    "hidden_layer_sizes": (
        "hidden_layers hidden_sizes layer_sizes layers hidden_units units n_units n_hidden "
        "hidden_dim hidden_size"
    ),
    "cell": "cell_type rnn_type layer_type",
    "dropout": "dropout_rate drop_rate dropout_prob",
    "batch_norm": "batchnorm batch_normalization use_batch_norm",
    "activation": "act activation_function hidden_activation nonlinearity",
    "weight_init": "kernel_initializer initializer init",
    "kernel_initializer": "weight_init initializer init",
    "random_state": "seed random_seed rng",
    "n_jobs": "n_threads num_threads nthread workers num_workers",
    "loss": "criterion loss_fn loss_function objective",
    "class_weight": "class_weights",
    "clipnorm": "clip_norm grad_clip gradient_clip gradient_clip_val max_grad_norm",
    "input_noise": "noise noise_std gaussian_noise",
    "augmentation": "augment augmentations data_augmentation transform transforms",
    "categorical_features": "cat_features categorical_columns cat_cols",
    "n_networks": "n_estimators n_ensembles",
    "filters": "channels out_channels n_filters num_filters",
    "kernel_size": "kernel filter_size",
    "strides": "stride",
    "dilation_rate": "dilation",
    "use_bias": "bias",
    "units": "out_features n_units num_units hidden_size output_dim",
    "output_dim": "embedding_dim embedding_size",
    "input_dim": "vocab_size num_embeddings input_size",
    "embedding_size": "embedding_dim output_dim",
    "rate": "p drop_rate dropout_rate dropout",
    "stddev": "std sigma scale",
    "epsilon": "eps",
    "beta_1": "beta1 betas",
    "beta_2": "beta2 betas",
    "rho": "decay alpha",
    "nesterov": "nesterovs_momentum",
    "nesterovs_momentum": "nesterov",
    "min_rate": "min_lr",
    "min_delta": "tol threshold",
    "patience": "n_iter_no_change",
    "monitor": "scoring metric",
    "path": "filepath filename file dirpath",
    "every": "period save_freq every_n_epochs",
    "quantile": "q tau",
    "sample_weight": "weights",
    "X_val": "x_val",
}  # fmt: skip
#: What is no parameter of a class, and where it is found.
_ELSEWHERE = {
    "learning rate": "the learning rate is learning_rate_init of the estimator",
    "validation set": "pass a validation set to fit: fit(X, y, X_val=..., y_val=...)",
    "device": "computations run on the CPU, in n_jobs threads",
    "decay": "weight decay is weight_decay of the estimator or of AdamW and Lion, the L2 penalty "
    "is alpha of the estimator",
    "clip": "gradients are clipped by clipnorm of the estimator",
    "best": "the best weights are restored by early_stopping=True or 'best' of the estimator",
    "name": "lists of layers take (name, layer) pairs, such as ('hidden', Dense(64))",
    "input": "the shape of the input is that of the data",
    "norm": "BatchNorm and LayerNorm are layers for the list of a NeuralNetworkClassifier",
    "recurrent dropout": "it is a parameter of the layers LSTM, GRU and SimpleRNN, for the list of "
    "a NeuralNetworkClassifier",
    "sample": "pass it to sample: TextGenerator(...).fit(text).sample(100, temperature=0.7)",
    "vocabulary": "the vocabulary is the characters of the text, or those of vocabulary='...'",
}  # fmt: skip
_NAMES_ELSEWHERE = {
    "learning rate": "lr learning_rate learning_rate_init",
    "validation set": "validation_data val_data valid_data eval_set eval_data train_split X_val "
    "y_val",
    "device": "device cuda gpu use_gpu use_cuda accelerator",
    "decay": "weight_decay decay l2 kernel_regularizer bias_regularizer",
    "clip": "clipnorm clipvalue global_clipnorm max_grad_norm",
    "best": "restore_best_weights",
    "name": "name",
    "input": "input_shape input_dim input_size in_features in_channels input_length",
    "norm": "batch_norm batchnorm batch_normalization layer_norm layernorm normalization",
    "recurrent dropout": "recurrent_dropout",
    "sample": "temperature top_k top_p",
    "vocabulary": "vocab_size vocabulary_size num_tokens",
}
#: Smallest similarity of names, from 0 to 1, of which one may be meant as the other.
_ALIKE = 0.75
#: What a parameter needs besides.
_TOGETHER = {"validation_fraction": " with early_stopping=True"}


def _meant(name: str) -> list[str]:
    """Return the parameters that other libraries, or other spellings, call by a name."""
    low = name.lower()
    return [own for own, others in _OTHER_NAMES.items() if low in (own.lower(), *others.split())]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that is spelt like another one, or begins with it, or None.

    Capitals do not matter, nor whether parts are joined by a dot or an underscore.
    """

    def simple(one: str) -> str:
        return one.lower().replace(".", "_")

    simplified = {simple(one): one for one in reversed([*known])}
    near = difflib.get_close_matches(simple(name), simplified, n=1, cutoff=_ALIKE)
    near += [one for one in reversed(simplified) if one.startswith(f"{simple(name)}_")]
    return simplified[near[0]] if near else None


def question(name: object, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name, which asks for the one spelt like it."""
    near = nearest(name, known) if isinstance(name, str) else None
    return f" Did you mean {near!r}?" if near else ""


def hint(name: str, known: Iterable[str]) -> str:
    """Return the end of an error's sentence about an unknown parameter: what is probably meant.

    `known` are the parameters that exist. The hint is empty if none of them seems to be meant.
    """
    known = [*known]
    for own in _meant(name):
        if own in known:
            return f"; use {own}{_TOGETHER.get(own, '')}"
    for subject, names in _NAMES_ELSEWHERE.items():
        if name in names.split():
            return f"; {_ELSEWHERE[subject]}"
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""


def hint_in_call(name: str, arguments: Iterable[str], parameters: Iterable[str], owner: str) -> str:
    """Return the hint at an unknown argument of a method, which may be meant as a parameter.

    `parameters` are those of the constructor of the class `owner`.
    """
    arguments, parameters = [*arguments], [*parameters]
    meant = [name, *_meant(name)]
    if not any(own in arguments for own in meant):
        for own in meant:
            if own in parameters:
                return f"; pass it to the constructor: {owner}({own}=...)"
    return hint(name, arguments)


def about_class(value: object) -> str:
    """Return the end of an error about a value that is a class in place of an object, or ""."""
    return f" It is a class; pass an object: {value.__name__}()." if isinstance(value, type) else ""


def unexpected(function: str, name: str, told: str) -> TypeError:
    """Return Python's error about an unknown keyword argument of a function, with a hint."""
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{told}")


#: Classes of other libraries, lower case, and what does the same here.
_OTHER_CLASSES = {
    "BatchNorm": "batchnormalization batchnorm1d batchnorm2d",
    "LayerNorm": "layernormalization",
    "ZeroPad": "zeropadding1d zeropadding2d zeropad1d zeropad2d",
    "Dense": "linear",
    "MaxPool1D": "maxpooling1d",
    "MaxPool2D": "maxpooling2d",
    "AveragePool1D": "averagepooling1d avgpool1d",
    "AveragePool2D": "averagepooling2d avgpool2d",
    "GlobalAveragePool": (
        "globalaveragepooling1d globalaveragepooling2d adaptiveavgpool1d adaptiveavgpool2d"
    ),
    "GlobalMaxPool": "globalmaxpooling1d globalmaxpooling2d adaptivemaxpool1d adaptivemaxpool2d",
    "Dropout": "spatialdropout1d spatialdropout2d dropout1d dropout2d alphadropout",
    "Parallel": "concatenate",
    "SimpleRNN": "rnn",
    "Activation('relu')": "relu",
    "Activation('relu6')": "relu6",
    "Activation('leaky_relu')": "leakyrelu",
    "Activation('elu')": "elu",
    "Activation('gelu')": "gelu",
    "Activation('tanh')": "tanh",
    "Activation('logistic')": "sigmoid",
    "resize_images of sklearn_nn": "resizing",
    "no layer is needed: the estimator adds the output layer with its softmax": "softmax",
    "no layer is needed: the input has the shape of X": "input inputlayer",
    "no layer is needed: bytes are divided by 255, scale_inputs standardizes other numbers": (
        "rescaling normalization"
    ),
    "no layer is needed: sequences are a list of arrays, or have NaN after the end": "masking",
    "NeuralNetworkClassifier or NeuralNetworkRegressor, with a list of layers": "sequential model",
}  # fmt: skip


def missing_names(
    module: str,
    known: Callable[[], Iterable[str]],
    elsewhere: Iterable[str] = (),
    later: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module, whose error says what is probably meant.

    `known` returns the module's names, and `elsewhere` names modules whose `__all__` may have a
    name. Names in `later` are imported from the modules there when they are first used; the last
    part of a module's name stands for itself.
    """

    def get_missing(name: str) -> Any:
        if name in later:
            found = import_module(later[name])
            if not later[name].endswith(f".{name}"):
                found = getattr(found, name)
            setattr(sys.modules[module], name, found)
            return found
        told = ""
        if not name.startswith("_"):
            told = _about_missing(name, [*known()], map(import_module, elsewhere))
        caller = sys._getframe(1)
        # `from module import name` replaces the message of an AttributeError by its own.
        if told and caller.f_code.co_code[caller.f_lasti] == dis.opmap["IMPORT_FROM"]:
            raise ImportError(f"cannot import name {name!r} from {module!r}{told}", name=name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}{told}", name=name)

    return get_missing


def _about_missing(name: str, known: list[str], elsewhere: Iterable[Any]) -> str:
    """Return the end of an error's sentence about a name that a module does not have."""
    others = [*elsewhere]
    for other in others:
        if name in other.__all__:
            return f"; it is in {other.__name__}"
    for own, names in _OTHER_CLASSES.items():
        if name.lower() in names.split():
            return f"; {own}" if own.startswith("no ") else f"; use {own}"
    if near := nearest(name, known):
        return f"; did you mean {near!r}?"
    for other in others:
        if near := nearest(name, other.__all__):
            return f"; did you mean {near!r} of {other.__name__}?"
    return ""
