"""Training: from pictures and their classes to a network.

>>> import numpy as np
>>> from cnnfast import Network, Preprocess
>>> from cnnfast.architectures import build
>>> from cnnfast.train import SGD, Flip, Recipe, fit, initialise
>>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
>>> net = Network.from_graph(initialise(build("lenet", classes=2)), preprocess=Preprocess(size=(32, 32)))
>>> fitted = fit(net, (images, np.arange(8) % 2), Recipe(epochs=1, optimiser=SGD(rate=0.01), augment=[Flip()]))
>>> fitted.network.predict_proba(images).shape
(8, 2)

=========================  =======================================================================================
`fitting`                  `fit`: checks, and puts together what follows
`recipe`                   everything that decides how a network is trained
`optimisers`, `schedules`  how weights follow gradients; how the rate changes
`averaging`                averages of the weights
`augment`, `warp`          views of the images; `draws` are their random numbers
`examples`, `sources`      images in memory, and how a step gets them
`trainer`                  the loop over epochs
`checkpoint`, `history`    what a run leaves in its folder
`transfer`                 learning on top of a frozen part
`initial`, `norms`          random weights; batch-norm that is gone after training
`engine`, `losses`         gradients, computed in `reference` or with images in the lanes
=========================  =======================================================================================
"""

from cnnfast.train.augment import AUGMENTATIONS, Brightness, Cutout, Flip, Shift
from cnnfast.train.averaging import AVERAGES, EMA, SWA, Lookahead
from cnnfast.train.examples import Examples, fit_scaling, load_examples, split
from cnnfast.train.fitting import Fitted, fit
from cnnfast.train.initial import STARTS, initialise, whitened
from cnnfast.train.losses import LOSSES, MeanSquaredError, SigmoidBinaryCrossEntropy, SoftmaxCrossEntropy
from cnnfast.train.norms import with_batch_norm, without_batch_norm
from cnnfast.train.optimisers import OPTIMISERS, SGD, Adam, AdamW, Muon
from cnnfast.train.recipe import EarlyStopping, Recipe
from cnnfast.train.schedules import SCHEDULES, Constant, Cosine, Linear, OneCycle, StepDecay
from cnnfast.train.transfer import feature_cache
from cnnfast.train.warp import Crop, Rotate, Shear, Zoom

__all__ = [
    "AUGMENTATIONS",
    "AVERAGES",
    "EMA",
    "LOSSES",
    "OPTIMISERS",
    "SCHEDULES",
    "SGD",
    "STARTS",
    "SWA",
    "Adam",
    "AdamW",
    "Brightness",
    "Constant",
    "Cosine",
    "Crop",
    "Cutout",
    "EarlyStopping",
    "Examples",
    "Fitted",
    "Flip",
    "Linear",
    "Lookahead",
    "MeanSquaredError",
    "Muon",
    "OneCycle",
    "Recipe",
    "Rotate",
    "Shear",
    "Shift",
    "SigmoidBinaryCrossEntropy",
    "SoftmaxCrossEntropy",
    "StepDecay",
    "Zoom",
    "feature_cache",
    "fit",
    "fit_scaling",
    "initialise",
    "load_examples",
    "split",
    "whitened",
    "with_batch_norm",
    "without_batch_norm",
]
