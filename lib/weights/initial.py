"""The weights that a training begins with: network.pretrained, the name of a shipped model, a prefix, or a file."""
import os
from typing import List, NamedTuple, Optional, Tuple

from configs import source_of
from configs.loader import DEFAULT
from lib.utils.errors import SniperError
from lib.weights.newest import checkpoint_named
from lib.weights.paths import (
    checkpoints_in,
    existing_epochs,
    misread_prefix,
    params_path,
    read_json,
    set_aside_prefixes,
)

MODELS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'data', 'models')
SHIPPED_TAG, ENDING = '-0000', '.params'
NEW, BY_NAME, WHOLE = 'new', 'by name', 'whole'     # what becomes of the heads, see network.KEEP_HEADS


class InitialWeights(NamedTuple):
    """path: of the parameter file; sidecar: its side file, {} if there is none; heads: NEW = initialised anew; BY_NAME
    = kept, but for outputs of classes and anchors that the file does not have; WHOLE = kept."""

    path: str
    sidecar: dict
    heads: str

    @property
    def classes(self) -> Tuple[str, ...]:
        """Names, background first; () if the side file does not say them, or no output is of a class."""
        return class_names(self.sidecar)


def shipped_models() -> List[str]:
    """Names that network.pretrained may have."""
    return sorted(name[:-len(SHIPPED_TAG + ENDING)] for name in checkpoints_in(MODELS)
                  if name.endswith(SHIPPED_TAG + ENDING))


def initial_weights(config) -> Optional[InitialWeights]:
    """What network.pretrained names, None for random weights. SniperError that says what there is for anything else."""
    if not config.network.pretrained:
        return None
    stem = _stem(config)
    sidecar, kept = read_json(stem + '.json'), config.network.KEEP_HEADS
    if kept == 'auto':
        kept = 'by_name' if isinstance(sidecar.get('classes'), list) else False
    return InitialWeights(stem + ENDING, sidecar, BY_NAME if kept == 'by_name' else WHOLE if kept else NEW)


def class_names(sidecar: dict) -> Tuple[str, ...]:
    """Names of a side file's classes, background first; () if it does not say them, or no output is of a class."""
    names = sidecar.get('classes')
    usable = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if usable and sidecar.get('tells_classes', True) else ()


def _stem(config):
    """Path without its ending."""
    named = config.network.pretrained
    epoch = checkpoint_named(named, config.network.pretrained_epoch)
    path = params_path(named, epoch)
    if os.path.isfile(path):
        return path[:-len(ENDING)]
    if named.endswith(ENDING) and os.path.isfile(named):
        return named[:-len(ENDING)]
    if named in shipped_models() and not epoch:
        return os.path.join(MODELS, named) + SHIPPED_TAG
    aside, others = set_aside_prefixes(named, epoch), existing_epochs(named)
    found = f' (there are epochs {others}: --set network.pretrained_epoch NUMBER)' if others else ''
    if aside:
        found = f' (an earlier run has it: {os.path.join(os.path.dirname(named), aside[-1])})'
    meant = misread_prefix(named, config.symbol)
    if source_of(config, 'network.pretrained_epoch') == DEFAULT and not (found or meant or os.path.dirname(named)):
        raise SniperError(f'network.pretrained is {named}, which is neither a shipped model ({_shipped_text()}) nor '
                          f'the beginning of {path}, nor a {ENDING} file')
    raise SniperError(f'pretrained weights {path} do not exist{found}{meant}: fetch or convert them (docs/weights.md), '
                      'or set network.pretrained and network.pretrained_epoch, or a shipped model '
                      f"({_shipped_text()}), or train from scratch with `--set network.pretrained ''`")


def _shipped_text():
    return ', '.join(shipped_models()) or 'there is none'
