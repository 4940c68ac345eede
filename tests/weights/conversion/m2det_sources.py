"""State dictionaries of the original M2Det, with every entry that its files have."""
import numpy as np

from lib.weights.conversion.m2det_names import original_names
from lib.weights.parameter_matching import config_of
from symbols import get_detector
from symbols.detectors.m2det import unused_parameters
from symbols.detectors.m2det_variants import DEFAULTS, least_size
from symbols.variants import Variant
from tests.weights.conversion.sources import value

SMALL = {'M2DET.width': 0.125, 'M2DET.planes': 16}


def m2det_shapes(**settings):
    """{name: shape} of all that is learnt, under the names of the file; settings: of keys, `M2DET__planes=16`."""
    keys = dict(DEFAULTS, **SMALL)
    keys.update({name.replace('__', '.'): setting for name, setting in settings.items()})
    keys['M2DET.input_size'] = least_size(keys['M2DET.num_scales'])
    keys['M2DET.size_pattern'] = tuple(0.1 * (1 + place) for place in range(keys['M2DET.num_scales'] + 1))
    config, detector = config_of('m2det', Variant('x', keys=tuple(keys.items()))), get_detector('m2det')
    symbol = detector.test_symbol(config)
    shapes, _, aux_shapes = symbol.infer_shape(**detector.input_shapes(config, 1, 0, 0, 'test'))
    wanted = dict(zip(symbol.list_arguments(), shapes), **dict(zip(symbol.list_auxiliary_states(), aux_shapes)))
    del wanted['data']
    found = dict(unused_parameters(keys['M2DET.backbone']))
    for name, shape in wanted.items():
        found.update({entry: shape for entry in original_names(name, keys['M2DET.num_levels'],
                                                                keys['M2DET.num_scales'])})
    return found


def m2det_arrays(**settings):
    """A whole state dictionary, copies and counters included; the values depend on names alone."""
    arrays = {}
    for name, shape in m2det_shapes(**settings).items():
        same = name.split('.')
        if same[0] == 'leach' or same[0] == 'sfam_module':
            same[1 if same[0] == 'leach' else 2] = '0'
        arrays[name] = value('.'.join(same), shape)
        if name in ('base.bn1.running_var', 'base.layer0.bn1.running_var'):
            arrays[name] *= 1e4     # of pixels that are not divided
        if name.endswith('running_var'):
            arrays[name.replace('running_var', 'num_batches_tracked')] = np.array(7, np.int64)
    return arrays


def backbone_arrays(name):
    """State dictionary of a backbone's own file, classifier and counters included."""
    shapes = m2det_shapes(M2DET__backbone=name, M2DET__width=1.0)
    arrays = {}
    for entry, shape in shapes.items():
        if entry.startswith('base.'):
            arrays[entry[len('base.'):]] = value(entry, shape)
            if entry.endswith('running_var'):
                arrays[entry[len('base.'):].replace('running_var', 'num_batches_tracked')] = np.array(7, np.int64)
    return arrays
