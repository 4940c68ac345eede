"""Does our backbone with the converted arrays compute what the source network computes?"""
from typing import NamedTuple

import numpy as np

from lib.weights.conversion.weight_mapping import backbone_outputs
from lib.weights.conversion.reference_models import evaluate

SEED, SIDE = 20180523, 96
EXACT = 1e-4        # of the largest magnitude: float32 through a hundred layers
FOLDED = 1e-3       # where the input's normalisation is folded into a convolution with padding


class Row(NamedTuple):
    """One feature map: largest difference, largest magnitude of the source's."""
    feature: str
    shape: tuple
    difference: float
    magnitude: float

    @property
    def relative(self):
        return self.difference / max(self.magnitude, 1e-30)


def compare_features(architecture, arrays, target, args, auxs, pixel_means, seed=SEED):
    """Both networks on one seeded image -> list of Row. arrays: the source's; args, auxs: ours."""
    from sniper_mxnet import mx
    image = np.random.RandomState(seed).randint(0, 256, (1, 3, SIDE, SIDE)).astype(np.float64)
    theirs = evaluate(architecture, arrays, image)
    outputs = backbone_outputs(target, architecture)
    names = sorted(theirs)
    symbol = mx.sym.Group([mx.sym.identity(outputs[name]) for name in names])
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', data=image.shape)
    for name, array in executor.arg_dict.items():
        if name != 'data':
            array[:] = args.get(name, 0)        # 0: offsets of deformable convolutions
    for name, array in executor.aux_dict.items():
        array[:] = auxs[name]
    data = image - np.reshape(pixel_means, (3, 1, 1))
    ours = executor.forward(is_train=False, data=mx.nd.array(data.astype(np.float32)))
    return [Row(name, theirs[name].shape, float(np.abs(theirs[name] - array.asnumpy()).max())
                if theirs[name].shape == array.shape else np.inf, float(np.abs(theirs[name]).max()))
            for name, array in zip(names, ours)]


def bound(architecture):
    """Largest relative difference that counts as the same function."""
    return EXACT if architecture.family.startswith('resnet') else FOLDED
