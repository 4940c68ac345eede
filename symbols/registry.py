"""Detectors by the name that `symbol:` has in a configuration."""
from lib.utils.errors import SniperError
from symbols.detectors import mobilenetv2_e2e, resnet_e2e, resnet_e2e_mask, resnet_v1_e2e, resnext_mx_101, sniper_tiny

DETECTORS = {
    'resnet_mx_101_e2e': lambda: resnet_e2e.build(depth=101),
    'resnet_mx_50_e2e': lambda: resnet_e2e.build(depth=50),
    'resnet_mx_101_e2e_mask': resnet_e2e_mask.build,
    'resnet_v1_101_e2e': lambda: resnet_v1_e2e.build(depth=101),
    'resnet_v1_50_e2e': lambda: resnet_v1_e2e.build(depth=50),
    'resnext_mx_101': resnext_mx_101.build,
    'mobilenetv2_e2e': mobilenetv2_e2e.build,
    'sniper_tiny': sniper_tiny.build,
}


def detector_names():
    """Known detector names, sorted."""
    return sorted(DETECTORS)


def get_detector(name):
    """Detector of that name; SniperError that lists the known ones if there is none.

    Its methods `train_symbol`, `test_symbol`, `proposal_train_symbol`, `proposal_test_symbol` take the configuration
    and return an `mx.sym.Symbol`; see `symbols.detectors.proposal_network.ProposalNetwork`.
    """
    if name not in DETECTORS:
        raise SniperError(f'unknown detector {name!r} (key `symbol`); known: {", ".join(detector_names())}')
    return DETECTORS[name]()
