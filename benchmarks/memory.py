"""How much memory a call takes, and whether calls leak: read from the kernel, so that C++ is counted too (Linux).

The figures are of the whole process. Run in a process of its own with `ENVIRONMENT`, after a call that loads
everything; then blocks of 64 KiB or more come from the kernel when they are taken and go back when they are freed.
The kernel counts in lots of up to 64 pages a thread, so figures are good to a few hundred KiB.
"""
import ctypes
import gc

# GNU's allocator: no arena a thread, large blocks mapped, free memory given back at once. The fixed threshold matters:
# by itself it grows with the blocks that are freed.
ENVIRONMENT = {'MALLOC_ARENA_MAX': '1', 'MALLOC_MMAP_THRESHOLD_': '65536', 'MALLOC_TRIM_THRESHOLD_': '65536'}


def supported():
    """Whether this system tells what is needed."""
    try:
        _forget_peak()
        return _status('VmHWM') > 0
    except (OSError, KeyError):
        return False


def peak(call):
    """Bytes by which the process grew at most while call() ran; what it returns is not kept beyond the call."""
    _settle()
    _forget_peak()
    before = _status('VmRSS')
    call()
    return max(_status('VmHWM') - before, 0)


def growth(call, calls=1000, warm_up=100):
    """Bytes by which the process is larger after `calls` calls than before, having made `warm_up` calls first."""
    for _ in range(warm_up):
        call()
    _settle()
    before = _status('VmRSS')
    for _ in range(calls):
        call()
    _settle()
    return _status('VmRSS') - before


def _settle():
    """Drop what is free already, in Python and in the allocator."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)  # GNU's C library has it
    if trim is not None:
        trim(0)


def _forget_peak():
    with open('/proc/self/clear_refs', 'w') as stream:
        stream.write('5')


def _status(field):
    """A field of /proc/self/status in bytes."""
    with open('/proc/self/status') as stream:
        for line in stream:
            name, _, value = line.partition(':')
            if name == field:
                return int(value.split()[0]) * 1024
    raise KeyError(field)
