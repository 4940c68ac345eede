"""M2Det's networks as files: MXNet's own loader takes them, and they give what the checkpoint gives."""
import json

import numpy as np
import pytest

from lib.engine.network import load_network
from lib.inference import find_weights
from lib.utils.errors import SniperError
from lib.weights.checkpoint import load_params
from scripts import optimize_model
from sniper_mxnet import mx
from sniper_mxnet.operators import OPERATORS
from symbols import get_detector
from tests.inference.random_weights import write_checkpoint
from tests.tasks.test_m2det import PRIORS, SMALL, TINY, config_of

CLASSES = ('__background__', 'cat', 'dog', 'disc')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """(overrides that find it, path) of a checkpoint of random weights, with statistics that folding has to notice."""
    words = ('output_path', str(tmp_path_factory.mktemp('out')), 'TEST.TEST_EPOCH', '1', 'gpus', 'cpu', 'M2DET.planes',
             '16', 'M2DET.num_levels', '1')
    path = write_checkpoint(config_of(*words), TINY, CLASSES)
    arrays = mx.nd.load(path)
    for number, name in enumerate(sorted(name for name in arrays if name.startswith('aux:'))):
        arrays[name] += 0.02 * (number % 7)
    mx.nd.save(path, arrays)
    return words, path


def exported(words, prefix, *flags):
    """Prefix of the network that scripts/optimize_model.py writes."""
    assert optimize_model.main(['--cfg', TINY, '--out', prefix, *flags, '--set', *SMALL, *words]) == 0
    return prefix


def predictions(symbol, args, auxs):
    """{output: values} of two seeded pictures."""
    data = mx.nd.array(np.random.RandomState(0).uniform(-1, 1, (2, 3, 64, 64)))
    outputs = symbol.bind(mx.cpu(), dict(args, data=data), aux_states=auxs).forward(is_train=False)
    return {name: output.asnumpy() for name, output in zip(symbol.list_outputs(), outputs)}


@pytest.mark.parametrize('variant, rows', [('test', (2, PRIORS)), ('export', (2 * PRIORS,))])
def test_the_loader_of_mxnet_takes_it(checkpoint, tmp_path, variant, rows):
    words, path = checkpoint
    prefix = exported(words, str(tmp_path / 'net'), '--variant', variant)
    plain = get_detector('m2det').test_symbol(config_of(*words))
    found, wanted = (predictions(*network) for network in (
        mx.model.load_checkpoint(prefix, 0), (plain, *load_params(path))))
    assert found['loc_output'].shape == (2, PRIORS, 4) and found['conf_output'].shape == (*rows, 4)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name].reshape(values.shape), values, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found['conf_output'].sum(axis=-1), 1, rtol=1e-5)
    assert np.ptp(found['conf_output']) > 0.01 and np.ptp(found['loc_output']) > 0
    with open(prefix + '-symbol.json') as stream:
        used = {node['op'] for node in json.load(stream)['nodes']}
    assert not used & {operator.name for operator in OPERATORS}


def test_the_form_of_the_original_is_not_for_our_programs(checkpoint, tmp_path):
    words, _ = checkpoint
    config = config_of(*words, 'TEST.OPTIMIZED', exported(words, str(tmp_path / 'net'), '--variant', 'export'))
    weights = find_weights(config, '', 'SNIPER')
    with pytest.raises(SniperError, match="has the graph 'export', and 'test' is wanted: .*optimize_model.py"):
        load_network(config, weights, 'test', [mx.cpu()])
