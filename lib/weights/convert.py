"""Weights from PyTorch, safetensors, ONNX, Gluon or Caffe files -> a parameter file of a backbone, of M2Det or of SSH.

    python -m lib.weights.convert FILE

docs/weights.md lists what can be converted.
"""
import argparse
import contextlib
import json
import logging
import os
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from lib.cli import file_prefix, run, setup_logging
from lib.utils.errors import SniperError
from lib.utils.files import publish, write_file, write_temporary
from lib.utils.processes import limit_threads
from lib.utils.user_path import user_path
from lib.weights.conversion import m2det, ssh
from lib.weights.conversion.architectures import recognise
from lib.weights.conversion.converted import Converted, FeatureDifference
from lib.weights.conversion.formats import read_weights
from lib.weights.conversion.verify import MOST, compare_features
from lib.weights.conversion.weight_mapping import PIXEL_MEANS, map_weights, target_of
from lib.weights.parameter_matching import override
from lib.weights.params_file import write_arrays
from lib.weights.paths import params_path
from symbols.registry import get_detector

logger = logging.getLogger(__name__)
FOLDER = os.path.join('data', 'pretrained_model')
DEFAULTS = {'network.STRIDE_IN_1X1': False, 'network.PIXEL_MEANS': list(PIXEL_MEANS)[::-1]}     # of configurations


class Family(NamedTuple):
    """A family of detectors whose files are converted as a whole, and whose backbones have its own input."""
    name: str
    network: str    # the detector that they fit
    has: Callable[[Dict[str, np.ndarray], Optional[str]], bool]
    convert: Callable[[Dict[str, np.ndarray], str], Converted]


FAMILIES = (Family('M2Det', m2det.NETWORK, m2det.is_m2det, m2det.convert_m2det),
            Family('SSH', ssh.NETWORK, ssh.is_ssh, ssh.convert_ssh))


def convert_file(path: str, prefix: Optional[str] = None, network: Optional[str] = None, pixel_means=PIXEL_MEANS,
                 order: Optional[str] = None) -> Tuple[str, List[FeatureDifference]]:
    """Convert `path` and write `<prefix>-0000.params` and its side file -> (prefix, list of FeatureDifference).

    network: the detector it must fit, if any. pixel_means: network.PIXEL_MEANS in the order R, G, B. order: 'RGB' or
    'BGR' where the source's input is known to differ from what is usual; M2Det's and SSH's leave no choice of either.
    Nothing is written unless both networks agree. SniperError: broken file, another architecture, features that differ.
    """
    kind, arrays = read_weights(path)
    family = next((family for family in FAMILIES if family.has(arrays, network)), None)
    converted = (_convert_family(family, arrays, path, network, pixel_means, order) if family else
                 _convert_backbone(arrays, path, network, pixel_means, order))
    logger.info('%s: %s file, %s', path, kind, converted.name)
    for row in converted.rows:
        logger.info('  %-12s %-20s largest difference %.3g of %.3g (%.1e)', row.feature, row.shape, row.difference,
                    row.magnitude, row.relative)
    worst = max(converted.rows, key=lambda row: row.relative)
    if not worst.relative <= converted.most or not np.isfinite(worst.magnitude):
        raise SniperError(f'{path}: our network and the source differ by {worst.relative:.1e} of the largest value in '
                          f'{worst.feature} (at most {converted.most:.0e} is the same function); nothing was written')
    prefix = prefix or os.path.join(FOLDER, converted.prefix)
    _write(prefix, path, converted)
    logger.info('written: %s', params_path(prefix, 0))
    for line in converted.use:
        logger.info(line.format(prefix=prefix))
    return prefix, converted.rows


def _convert_family(family, arrays, path, network, pixel_means, order):
    """Converted of a Family's file; see convert_file."""
    if order or tuple(pixel_means) != PIXEL_MEANS:
        raise SniperError(f'{path}: {family.name} takes blue, green, red minus its own means; leave out --pixel_means '
                          'and --order')
    if network not in (None, family.network):
        get_detector(network)       # an unknown name is refused there
        raise SniperError(f'{path} is a whole {family.name} and cannot become {network}: it fits {family.network}')
    return family.convert(arrays, path)


def _convert_backbone(arrays, path, network, pixel_means, order):
    """Converted of a backbone in architectures; see convert_file."""
    architecture, arrays = recognise(arrays, path)
    if order:
        architecture = _reordered(architecture, order, path)
    target = target_of(architecture, pixel_means)
    if network:
        _check_network(network, architecture, target, path)
    args, auxs = map_weights(architecture, arrays, target, path, pixel_means)
    rows = compare_features(architecture, arrays, target, args, auxs, pixel_means)
    return Converted(architecture.name, target.prefix, args, auxs, target.requires, rows,
                     MOST, (_use(target),))


def _reordered(architecture, order, path):
    if architecture.family.startswith('resnet') and order != 'RGB':
        raise SniperError(f'{path}: {architecture.name} with its channels in the order {order} is not known')
    return architecture._replace(preprocess=architecture.preprocess._replace(order=order))


def _check_network(network, architecture, target, path):
    """SniperError, with the reason, if `network` is another architecture."""
    from symbols.backbones.resnet import ResNet
    from symbols.backbones.resnet_v1 import ResNetV1
    wanted = getattr(get_detector(network), 'backbone', None)   # an unknown name is refused there
    if network in target.detectors:
        return
    reason = f'it fits {", ".join(target.detectors) or "none of the detectors so far, only the backbone"}'
    if architecture.family == 'resnet_v1' and isinstance(wanted, ResNet):
        reason = (f'{network} is pre-activation: BatchNorm and ReLU come before its convolutions, so that the same '
                  f'weights would compute something else; {reason}')
    elif architecture.family == 'resnet_v2' and isinstance(wanted, ResNetV1):
        reason = f'{network} is post-activation; {reason}'
    raise SniperError(f'{path} is a {architecture.name} and cannot become {network}: {reason}')


def _write(prefix, path, converted):
    arrays = {'arg:' + name: array for name, array in converted.args.items()}
    arrays.update({'aux:' + name: array for name, array in converted.auxs.items()})
    facts = {'converted_from': os.path.basename(path), 'architecture': converted.name, 'requires': converted.requires}
    if converted.classes:
        facts['classes'] = converted.classes
    temporary, _ = write_temporary(params_path(prefix, 0), lambda stream: write_arrays(stream, arrays))
    with contextlib.suppress(FileNotFoundError):    # never weights beside another file's requirements
        os.remove(params_path(prefix, 0))
    write_file(f'{prefix}-0000.json', json.dumps(facts, indent=1).encode())
    publish(temporary, params_path(prefix, 0))


def _use(target):
    if not target.detectors:
        network = {'vgg16': ssh.NETWORK, 'vgg16_reducedfc': m2det.NETWORK}.get(target.prefix)
        return f'no detector here has this backbone with such an input: {type(target.backbone).__name__}' + (
            f'; one has it with its own: --network {network}' if network else '')
    settings = ['network.pretrained {prefix}'] + [override(*pair) for pair in target.requires.items()
                                                    if pair not in DEFAULTS.items()]
    return f'use it with symbol {" or ".join(target.detectors)}, --set {" ".join(settings)}'


def main(argv: Optional[List[str]] = None) -> int:
    """Command line -> exit status."""
    parser = argparse.ArgumentParser(prog='python -m lib.weights.convert', description=__doc__.split('\n')[0])
    parser.add_argument('file', type=user_path, help='.pth, .safetensors, .onnx, .caffemodel, or .params of Gluon')
    parser.add_argument('--to', type=file_prefix, metavar='PREFIX',
                        help=f'write PREFIX-0000.params (default: {FOLDER}/<network>)')
    parser.add_argument('--network', metavar='NAME', help='refuse unless it fits this detector')
    parser.add_argument('--pixel_means', nargs=3, type=float, default=PIXEL_MEANS, metavar=('R', 'G', 'B'),
                        help='means that the network is going to run with (default: %(default)s)')
    parser.add_argument('--order', choices=('RGB', 'BGR'), help="channels of the source's input, if not the usual ones")
    args = parser.parse_args(argv)
    setup_logging()
    limit_threads()
    convert_file(args.file, args.to, args.network, args.pixel_means, args.order)
    return 0


if __name__ == '__main__':
    run(main)
