"""TEST.PRECISION: what it means for a configuration, and getting process and processor ready for it before MXNet loads.

oneDNN, inside MXNet, picks its kernels by what the processor has. Two things it leaves to others: AMX must be allowed
by DNNL_MAX_CPU_ISA, which is read when MXNet loads, and the kernel must let the process use the tile registers
(Linux, "Using XSTATE features in user space applications"). A process that uses them without is killed by SIGILL, so
the permission is asked for and looked up before the variable is set.

Nothing imports MXNet before `prepare` has run; processes that are spawned later call it again.
"""
import ctypes
import json
import logging
import os
import platform
import sys

from configs import values_affecting
from lib.engine.calibrate import images_named
from lib.engine.engines import MXNET, engine_of
from lib.engine.exported_model import read_facts
from lib.utils.errors import SniperError
from lib.utils.processes import limit_threads

logger = logging.getLogger(__name__)

MAX_ISA = 'DNNL_MAX_CPU_ISA'
AMX_ISA = 'AVX512_CORE_AMX'
# TEST.PRECISION -> (flags of /proc/cpuinfo that its AMX kernels want, flags of which one does without AMX)
NEEDS = {'bf16': (('amx_tile', 'amx_bf16'), ('avx512_bf16',)),
         'int8': (('amx_tile', 'amx_int8'), ('avx512_vnni', 'avx_vnni'))}
# Values of MAX_ISA with which oneDNN leaves a feature alone, whatever the processor has; others change nothing.
_BELOW_VNNI = {'SSE41', 'AVX', 'AVX2', 'AVX512_MIC', 'AVX512_MIC_4OPS', 'AVX512_CORE'}
_HIDING = {'avx512_vnni': _BELOW_VNNI, 'avx_vnni': _BELOW_VNNI, 'avx512_bf16': _BELOW_VNNI | {'AVX512_CORE_VNNI'}}
_SYS_ARCH_PRCTL, _GET_PERMISSION, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1022, 0x1023, 18


def precision_of(config):
    """'fp32', 'bf16' or 'int8' in MXNet: of the network TEST.OPTIMIZED, else TEST.PRECISION; SniperError if they
    disagree."""
    wanted = config.TEST.PRECISION
    if not config.TEST.OPTIMIZED:
        return wanted
    made = read_facts(config.TEST.OPTIMIZED)['precision']
    if wanted not in ('fp32', made):
        raise SniperError(f'TEST.PRECISION is {wanted}, but TEST.OPTIMIZED {config.TEST.OPTIMIZED} is a network in '
                          f'{made}: leave TEST.PRECISION out')
    return made


def prepare(config):
    """Make this process ready for the configuration's precision, and its threads for the cores that it may use, before
    MXNet loads; see prepare_processor. Other engines get the processor ready by themselves."""
    limit_threads()
    if engine_of(config) == MXNET:
        prepare_processor(precision_of(config))


def treatment(config):
    """What inference does to a checkpoint's numbers, as text; '' for nothing. SniperError as lib.engine.calibrate."""
    test = config.TEST
    if test.PRECISION == 'int8':
        shown = json.dumps(values_affecting(config, 'pixels', among='detections'), sort_keys=True)
        return f'int8 {test.CALIBRATION_COUNT} {images_named(config)} {shown}'
    return test.PRECISION if test.PRECISION != 'fp32' else 'folded' if test.FOLD else ''


def prepare_processor(precision):
    """Make this process ready for inference in `precision`, 'fp32', 'bf16' or 'int8'; before MXNet loads.

    -> how it will run: 'fp32', 'AMX' or a processor flag such as 'avx512_vnni'. SniperError, in one line, if the
    processor has nothing for it, or MXNet is loaded already with other settings.
    """
    if precision == 'fp32':
        return precision
    amx, others = NEEDS[precision]
    flags = cpu_flags()
    limit = os.environ.get(MAX_ISA, '').upper()
    fallback = next((flag for flag in others if flag in flags and limit not in _HIDING[flag]), None)
    reason = _enable_amx(amx, flags)
    if reason is None:
        return 'AMX'
    if fallback is None:
        raise SniperError('TEST.PRECISION is {}, but oneDNN can use none of {} here, and {}: use TEST.PRECISION fp32'
            .format(precision, ', '.join(others), reason))
    logger.info('%s runs on %s: %s', precision, fallback, reason)
    return fallback


def cpu_flags():
    """Set of the processor's features by Linux's names; empty where there is no /proc/cpuinfo."""
    try:
        with open('/proc/cpuinfo') as stream:
            for line in stream:
                name, _, words = line.partition(':')
                if name.strip() == 'flags':
                    return set(words.split())
    except OSError:
        pass  # not Linux: nothing is known, so nothing is promised
    return set()


def _enable_amx(wanted, flags):
    """Allow AMX to oneDNN -> None, or why not."""
    missing = [flag for flag in wanted if flag not in flags]
    if missing:
        return f'no {" and ".join(missing)}'
    chosen = os.environ.get(MAX_ISA)
    if chosen not in (None, AMX_ISA):
        return f'the environment sets {MAX_ISA} to {chosen}'
    if chosen is None and _mxnet_is_loaded():
        return f'MXNet was loaded before AMX could be allowed ({MAX_ISA}={AMX_ISA} in the environment does)'
    if not _request_tiles():
        return 'the kernel does not let this process use AMX (arch_prctl ARCH_REQ_XCOMP_PERM)'
    os.environ[MAX_ISA] = AMX_ISA
    return None


def _mxnet_is_loaded():
    return 'mxnet' in sys.modules


def _request_tiles():
    """Ask Linux for the AMX tile registers; True if this process, and those it forks, may use them."""
    if sys.platform != 'linux' or platform.machine() != 'x86_64':
        return False
    system = ctypes.CDLL(None, use_errno=True)
    granted = ctypes.c_uint64(0)
    system.syscall(_SYS_ARCH_PRCTL, _REQUEST_PERMISSION, ctypes.c_ulong(_TILE_DATA))
    failed = system.syscall(_SYS_ARCH_PRCTL, _GET_PERMISSION, ctypes.byref(granted))
    return failed == 0 and bool(granted.value >> _TILE_DATA & 1)
