"""Weights from PyTorch, safetensors, ONNX or Gluon files -> a parameter file of one of our backbones.

    python -m lib.weights.convert FILE

docs/weights.md lists what can be converted.
"""
import argparse
import contextlib
import json
import logging
import os
from typing import List, Optional, Tuple

import numpy as np

from lib.cli import file_prefix, run, setup_logging
from lib.utils.errors import SniperError
from lib.utils.files import publish, write_file, write_temporary
from lib.utils.processes import limit_threads
from lib.utils.user_path import user_path
from lib.weights.conversion.architectures import recognise
from lib.weights.conversion.formats import read_weights
from lib.weights.conversion.verify import FeatureDifference, compare_features, largest_difference
from lib.weights.conversion.weight_mapping import PIXEL_MEANS, map_weights, target_of
from lib.weights.parameter_matching import override
from lib.weights.params_file import write_arrays
from lib.weights.paths import params_path
from symbols.registry import get_detector

logger = logging.getLogger(__name__)
FOLDER = os.path.join('data', 'pretrained_model')
DEFAULTS = {'network.STRIDE_IN_1X1': False, 'network.PIXEL_MEANS': list(PIXEL_MEANS)[::-1]}     # of configurations


def convert_file(path: str, prefix: Optional[str] = None, network: Optional[str] = None, pixel_means=PIXEL_MEANS,
                 order: Optional[str] = None) -> Tuple[str, List[FeatureDifference]]:
    """Convert `path` and write `<prefix>-0000.params` and its side file -> (prefix, list of verify.FeatureDifference).

    network: the detector it must fit, if any. pixel_means: network.PIXEL_MEANS in the order R, G, B. order: 'RGB' or
    'BGR' where the source's input is known to differ from what is usual. Nothing is written unless both networks agree.
    SniperError: broken file, another architecture, features that differ.
    """
    kind, arrays = read_weights(path)
    architecture, arrays = recognise(arrays, path)
    if order:
        architecture = _reordered(architecture, order, path)
    target = target_of(architecture, pixel_means)
    if network:
        _check_network(network, architecture, target, path)
    args, auxs = map_weights(architecture, arrays, target, path, pixel_means)
    rows = compare_features(architecture, arrays, target, args, auxs, pixel_means)
    logger.info('%s: %s file, %s', path, kind, architecture.name)
    for row in rows:
        logger.info('  %-8s %-20s largest difference %.3g of %.3g (%.1e)', row.feature, row.shape, row.difference,
                    row.magnitude, row.relative)
    worst = max(rows, key=lambda row: row.relative)
    if not worst.relative <= largest_difference(architecture) or not np.isfinite(worst.magnitude):
        raise SniperError(f'{path}: our network and the source differ by {worst.relative:.1e} of the largest value in '
                          f'{worst.feature} (at most {largest_difference(architecture):.0e} is '
                          'the same function); nothing was written')
    prefix = prefix or os.path.join(FOLDER, target.prefix)
    _write(prefix, args, auxs, path, architecture, target)
    _say_what_next(prefix, architecture, target)
    return prefix, rows


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


def _write(prefix, args, auxs, path, architecture, target):
    arrays = {'arg:' + name: array for name, array in args.items()}
    arrays.update({'aux:' + name: array for name, array in auxs.items()})
    facts = {'converted_from': os.path.basename(path), 'architecture': architecture.name, 'requires': target.requires}
    temporary, _ = write_temporary(params_path(prefix, 0), lambda stream: write_arrays(stream, arrays))
    with contextlib.suppress(FileNotFoundError):    # never weights beside another file's requirements
        os.remove(params_path(prefix, 0))
    write_file(f'{prefix}-0000.json', json.dumps(facts, indent=1).encode())
    publish(temporary, params_path(prefix, 0))


def _say_what_next(prefix, architecture, target):
    settings = [f'network.pretrained {prefix}'] + [override(*pair) for pair in target.requires.items()
                                                     if pair not in DEFAULTS.items()]
    logger.info('written: %s', params_path(prefix, 0))
    if target.detectors:
        logger.info('use it with symbol %s, --set %s', ' or '.join(target.detectors), ' '.join(settings))
    else:
        logger.info('no detector here has this backbone yet: %s', type(target.backbone).__name__)


def main(argv: Optional[List[str]] = None) -> int:
    """Command line -> exit status."""
    parser = argparse.ArgumentParser(prog='python -m lib.weights.convert', description=__doc__.split('\n')[0])
    parser.add_argument('file', type=user_path, help='.pth, .safetensors, .onnx, or .params of Gluon')
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
