"""Training: from pictures and their classes to a network.

>>> import numpy as np
>>> from cnnfast import Network, Preprocess
>>> from cnnfast.architectures import build
>>> from cnnfast.train import SGD, Flip, Recipe, fit, initialize
>>> images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
>>> net = Network.from_graph(initialize(build("lenet", classes=2)), preprocess=Preprocess(size=(32, 32)))
>>> fitted = fit(net, (images, np.arange(8) % 2), Recipe(epochs=1, optimizer=SGD(learning_rate=0.01), augment=[Flip()]))
>>> fitted.network.predict_proba(images).shape
(8, 2)

=========================  =======================================================================================
`fitting`                  `fit`: checks its arguments and assembles the rest
`recipe`                   all settings of training
`optimizers`, `schedules`  how weights follow gradients; how the learning rate changes
`averaging`                averages of the weights
`augment`, `affine_augment`  views of the images; `rng` makes their random numbers
`examples`, `reading`      images in memory; data sets become such
`sources`                  how a step gets its images
`trainer`, `stepping`      the loop over epochs, and what computes its steps
`parallel`                 steps of which each part is computed by a worker: processes, pools, clusters
`checkpoint`, `history`    the files in the folder of a run
`transfer`                 transfer learning above a frozen part
`remembering`, `replaying`  features of pictures that a network learned from, mixed with new ones
`whitening`, `norms`       a first layer computed from the images; batch-norm that is folded away after training
`engine`, `losses`         loss and gradients of a batch; `reference` in NumPy, `chwn` with images in the lanes
=========================  =======================================================================================
"""

from cnnfast.architectures.initial import INITS, initialize
from cnnfast.train.affine_augment import Crop, Rotate, Shear, Zoom
from cnnfast.train.augment import AUGMENTATIONS, Brightness, Cutout, Flip, Shift
from cnnfast.train.averaging import AVERAGES, EMA, SWA, Lookahead
from cnnfast.train.examples import Examples, fit_scaling, split
from cnnfast.train.fitting import FitResult, fit
from cnnfast.train.losses import LOSSES, MeanSquaredError, SigmoidBinaryCrossEntropy, SoftmaxCrossEntropy
from cnnfast.train.norms import with_batch_norm, without_batch_norm
from cnnfast.train.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Muon
from cnnfast.train.parallel import Executor, Futures, InProcess, Processes
from cnnfast.train.reading import load_examples
from cnnfast.train.recipe import EarlyStopping, Recipe
from cnnfast.train.remembering import remember
from cnnfast.train.replaying import Replay, replay
from cnnfast.train.schedules import SCHEDULES, Constant, Cosine, LinearDecay, OneCycle, StepDecay
from cnnfast.train.transfer import feature_cache
from cnnfast.train.whitening import whitened

__all__ = [
    "AUGMENTATIONS",
    "AVERAGES",
    "EMA",
    "INITS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
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
    "Executor",
    "FitResult",
    "Flip",
    "Futures",
    "InProcess",
    "LinearDecay",
    "Lookahead",
    "MeanSquaredError",
    "Muon",
    "OneCycle",
    "Processes",
    "Recipe",
    "Replay",
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
    "initialize",
    "load_examples",
    "remember",
    "replay",
    "split",
    "whitened",
    "with_batch_norm",
    "without_batch_norm",
]
