"""TEST.PRECISION: what it means for a configuration, and getting the process ready for it."""
import json

from configs import values_affecting
from lib.engine import cpu
from lib.engine.calibrate import images_named
from lib.engine.exported_model import read_facts
from lib.utils.errors import SniperError


def precision_of(config):
    """'fp32', 'bf16' or 'int8': of the network TEST.OPTIMIZED, else TEST.PRECISION; SniperError if they disagree."""
    wanted = config.TEST.PRECISION
    if not config.TEST.OPTIMIZED:
        return wanted
    made = read_facts(config.TEST.OPTIMIZED)['precision']
    if wanted not in ('fp32', made):
        raise SniperError(f'TEST.PRECISION is {wanted}, but TEST.OPTIMIZED {config.TEST.OPTIMIZED} is a network in '
                          f'{made}: leave TEST.PRECISION out')
    return made


def prepare(config):
    """Make this process ready for the configuration's precision; before anything imports MXNet. See cpu.prepare."""
    return cpu.prepare(precision_of(config))


def treatment(config):
    """What inference does to a checkpoint's numbers, as text; '' for nothing. SniperError as lib.engine.calibrate."""
    test = config.TEST
    if test.PRECISION == 'int8':
        shown = json.dumps(values_affecting(config, 'pixels', among='detections'), sort_keys=True)
        return f'int8 {test.CALIBRATION_COUNT} {images_named(config)} {shown}'
    return test.PRECISION if test.PRECISION != 'fp32' else 'folded' if test.FOLD else ''
