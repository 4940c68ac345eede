"""Detectors by the name that `symbol:` has in a configuration, each with the task that it serves (lib.tasks).

Free of MXNet: the module that builds a network is imported when the network is asked for.
"""
import importlib
from typing import Any, Callable, Dict, List, NamedTuple, Tuple, Union

from lib.utils.errors import SniperError


class Entry(NamedTuple):
    """How a detector is made.

    build: 'module:function', or a function that can be imported by its name; called with `arguments` by name.
    task: name of the family, see lib.tasks. stride: input pixels a cell of its feature map; 0 if the family does not
    ask.
    """
    build: Union[str, Callable]
    task: str
    stride: int = 0
    arguments: Tuple[Tuple[str, Any], ...] = ()


def _own(module, task, stride, **arguments):
    return Entry(f'symbols.detectors.{module}:build', task, stride, tuple(arguments.items()))


DETECTORS: Dict[str, Entry] = {
    'resnet_mx_101_e2e': _own('resnet_e2e', 'faster_rcnn', 16, depth=101),
    'resnet_mx_50_e2e': _own('resnet_e2e', 'faster_rcnn', 16, depth=50),
    'resnet_mx_101_e2e_mask': _own('resnet_e2e_mask', 'faster_rcnn', 16),
    'resnet_v1_101_e2e': _own('resnet_v1_e2e', 'faster_rcnn', 16, depth=101),
    'resnet_v1_50_e2e': _own('resnet_v1_e2e', 'faster_rcnn', 16, depth=50),
    'resnext_mx_101': _own('resnext_mx_101', 'fast_rcnn', 16),
    'mobilenetv2_e2e': _own('mobilenetv2_e2e', 'faster_rcnn', 32),
    'sniper_tiny': _own('sniper_tiny', 'faster_rcnn', 8),
    'resnet_mx_101_e2e_3k': _own('rfcn_3k', 'rfcn3k', 16, form='whole'),
    'resnet_mx_101_e2e_3k_demo': _own('rfcn_3k', 'rfcn3k', 16, form='demo'),
    'rfcn_3k_tiny': _own('rfcn_3k', 'rfcn3k', 8, form='tiny'),
    'resnet_mx_101_e2e_openimages': _own('openimages', 'openimages', 16, form='resnet101'),
    'sniper_tiny_openimages': _own('openimages', 'openimages', 8, form='tiny'),
    'deepv_arm_net': _own('deepv_arm_net', 'proposals', 8),
    'm2det': _own('m2det', 'm2det', 8),
    'ssh_vgg16': _own('ssh', 'ssh', 8, backbone='vgg16'),
    'ssh_res50': _own('ssh', 'ssh', 8, backbone='res50'),
    'ssh_tiny': _own('ssh', 'ssh', 8, backbone='tiny'),
}


def detector_names() -> List[str]:
    """Known detector names, sorted."""
    return sorted(DETECTORS)


def register_detector(name: str, build: Union[str, Callable], task: str, stride: int = 0) -> None:
    """Add a detector; `symbol: <name>` in a configuration then means it.

    build, task, stride: see Entry. ValueError if there is another one of that name. Inference processes know it too if
    `build` can be imported by its name there.
    """
    entry = Entry(build, task, stride)
    if DETECTORS.get(name, entry) != entry:
        raise ValueError(f'there is a detector {name!r} already')
    DETECTORS[name] = entry


def detector_entry(name: str) -> Entry:
    """Entry of a detector; SniperError that lists the known ones if there is none of that name."""
    if name not in DETECTORS:
        raise SniperError(f'unknown detector {name!r} (key `symbol`); known: {", ".join(detector_names())}')
    return DETECTORS[name]


def feature_stride(name: str) -> int:
    """Input pixels a cell of the detector's feature map."""
    return detector_entry(name).stride


def get_detector(name: str):
    """Detector of that name; SniperError that lists the known ones if there is none. Loads MXNet.

    Its methods `train_symbol`, `test_symbol` and, for two-stage networks, `proposal_train_symbol` and
    `proposal_test_symbol` take the configuration and return an `mx.sym.Symbol`; see
    `symbols.detectors.proposal_network.ProposalNetwork`.
    """
    entry = detector_entry(name)
    build = entry.build
    if isinstance(build, str):
        module, _, function = build.partition(':')
        build = getattr(importlib.import_module(module), function)
    return build(**dict(entry.arguments))
