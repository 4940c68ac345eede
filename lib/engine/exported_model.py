"""A network ready for inference on disk: `<prefix>-symbol.json`, `<prefix>-0000.params` and the side file
`<prefix>-0000.json`.

The graph is the optimised test graph, so nothing is folded, calibrated or cast again. The side file says of which
configuration and weights it was made, and in which precision; it is read without MXNet, because the precision must be
known before MXNet loads.
"""
import hashlib
import json
import os

from configs import default_values, values_affecting
from lib.engine.lower_precision import BFLOAT16, DTYPE_ATTRIBUTE, ELEMENT
from lib.utils.errors import SniperError
from lib.utils.files import publish, write_file, write_temporary
from lib.weights.params_file import file_checksum, write_arrays
from lib.weights.paths import params_path, read_sidecar

NUMBER = 0  # in the names of the files, as of shipped models
_FACTS = {'graph': str, 'params': list, 'precision': str, 'settings': dict, 'configuration': dict, 'classes': list}
FORMAT = 1  # raise it when the meaning of the files changes


def graph_settings(config):
    """{key: value} of everything in the configuration that a test graph depends on."""
    return values_affecting(config, 'graph', among='detections')


def write_exported(prefix, symbol, arg_params, aux_params, facts):
    """Write a network; `facts` is what the side file says: precision, settings, source, classes, ..."""
    arrays = {'arg:' + name: _storable(array) for name, array in arg_params.items()}
    arrays.update({'aux:' + name: array for name, array in aux_params.items()})
    graph = symbol.tojson(remove_amp_cast=False).encode('utf-8')
    path = params_path(prefix, NUMBER)
    # The largest first: if the disk has no room for it, the files of before stay as they are.
    temporary, checksum = write_temporary(path, lambda stream: write_arrays(stream, arrays))
    write_file(prefix + '-symbol.json', graph)
    publish(temporary, path)
    side = dict(facts, optimized=FORMAT, graph=hashlib.sha256(graph).hexdigest(), params=list(checksum))
    write_file(f'{prefix}-{NUMBER:04d}.json', json.dumps(side, indent=1, sort_keys=True).encode('utf-8'))


def read_facts(prefix):
    """Side file of a network -> dict; SniperError if there is none, it is damaged, or of another program."""
    facts = read_sidecar(prefix, NUMBER)
    for name, kind in _FACTS.items():
        if not isinstance(facts.get(name, kind()), kind):
            raise SniperError(f'{prefix}-{NUMBER:04d}.json is damaged ("{name}" is no {kind.__name__}): write it again '
                              'with scripts/optimize_model.py')
    if facts.get('optimized') != FORMAT:
        raise SniperError('TEST.OPTIMIZED is {}, but {}-{:04d}.json is {}: write it with scripts/optimize_model.py'
            .format(prefix, prefix, NUMBER, 'missing or damaged' if not facts else
                             'of a checkpoint or of another version, not of an optimised network'))
    return facts


def is_exported_model(prefix):
    """Whether files of a network lie at `prefix`; they can still be damaged, see read_facts."""
    return os.path.isfile(prefix + '-symbol.json')


def read_configuration(prefix):
    """The configuration that a network was written with: flat list of keys and values, as after --set.

    SniperError if its side file has none.
    """
    values = read_facts(prefix).get('configuration')
    if not values:
        raise SniperError(f'{prefix}-{NUMBER:04d}.json does not say with which configuration the network was written: '
                          'write it again with scripts/optimize_model.py')
    return [word for pair in values.items() for word in pair]


def other_settings(made, config):
    """{key: 'KEY 1, now 2'} of what a test graph depends on and is other in `config` than {key: value} `made`."""
    now = graph_settings(config)
    made = {**default_values(now), **made}  # what the file does not name was not there yet when it was written
    return {key: f'{key} {made[key]}, now {now[key]}' for key in now if made[key] != now[key]}


def check_settings(prefix, facts, config):
    """SniperError if the network on disk was made for another test graph than that of `config`."""
    other = other_settings(facts.get('settings', {}), config).values()
    if other:
        raise SniperError(('{} was optimised for other settings ({}): run scripts/optimize_model.py again with these, '
                           'or go back to those').format(prefix, '; '.join(other)))


def load_exported(prefix):
    """-> (symbol, arg_params, aux_params) of a network, arrays in the types that the graph wants."""
    from lib.weights.checkpoint import load_params
    from sniper_mxnet import mx
    facts, path = read_facts(prefix), params_path(prefix, NUMBER)
    try:
        with open(prefix + '-symbol.json', 'rb') as stream:
            graph = stream.read()
    except OSError as error:
        raise SniperError(f'cannot read {prefix}-symbol.json: {error.strerror or error}') from None
    if hashlib.sha256(graph).hexdigest() != facts['graph'] or list(file_checksum(path)) != facts['params']:
        raise SniperError(f'{path} and {prefix}-symbol.json are not the two that its side file describes: write them '
                          'again with scripts/optimize_model.py')
    symbol = mx.sym.load_json(graph.decode('utf-8'))
    arg_params, aux_params = load_params(path)
    for name, attributes in symbol.attr_dict().items():
        if attributes.get(DTYPE_ATTRIBUTE) == BFLOAT16 and name in arg_params:
            arg_params[name] = arg_params[name].astype(ELEMENT)
    return symbol, arg_params, aux_params


def _storable(array):
    """bfloat16 as float32, which holds the same numbers; everything else as it is."""
    return array.astype('float32') if array.dtype == ELEMENT else array
