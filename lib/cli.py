"""What the command lines share: arguments, logging, and one-line errors."""
import argparse
import errno
import logging
import os
import platform
import re
import sys

from configs import configuration_text, load_config
from lib.utils.errors import SniperError, printable
from lib.utils.files import text_writer
from lib.utils.processes import num_cores
from lib.utils.progress_bar import ConsoleHandler
from lib.utils.standard_streams import open_closed_streams, watched
from lib.utils.user_path import user_path
from lib.weights.paths import SAVE_PREFIX

logger = logging.getLogger(__name__)

DEFAULT_CONFIG = 'configs/faster/sniper_res101_e2e.yml'
_NO_MEMORY = re.compile('out of memory|allocat|bad_alloc', re.IGNORECASE)
_SYSTEM_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO,
                   errno.EMFILE, errno.ENFILE, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EAGAIN)
CUT_SHORT = 141  # what shells report of a program whose reader has gone: 128 + SIGPIPE


def add_config_arguments(parser, default_config=DEFAULT_CONFIG):
    """Add --cfg, --save_prefix and --set, which every command line understands."""
    parser.add_argument('--cfg', type=user_path, default=default_config, metavar='FILE',
                        help='YAML configuration (default: %(default)s)')
    parser.add_argument('--save_prefix', type=file_prefix, default=SAVE_PREFIX,
                        help='file prefix of checkpoints (default: %(default)s)')
    # REMAINDER, so that values such as -1e-3 are not taken for options
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE', dest='overrides',
                        help='configuration keys and values that win over the file; must come last')
    return parser


def file_prefix(text):
    """Argument type: the beginning of files' names, with a folder or not."""
    path = user_path(text)
    if os.path.basename(path) in ('', '.', '..'):
        raise SniperError(f'{text!r} names no files: a prefix such as SNIPER gives SNIPER-0001.params')
    return path


def config_from_arguments(args):
    """Parsed arguments -> configuration (EasyDict). SniperError for a network in place of one."""
    if args.cfg.endswith('.onnx'):
        raise SniperError(f'--cfg {args.cfg} is a network: name the configuration of the data in --cfg, and add --set '
                          f'TEST.ONNX {args.cfg}')
    return load_config(args.cfg, args.overrides)


def setup_logging(log_file=None, console_level='INFO'):
    """Log to standard error from `console_level` up, and to `log_file` if given (its folder is made).

    Called by entry points only.
    """
    console = ConsoleHandler()
    console.setLevel(console_level)
    console.addFilter(lambda record: not getattr(record, 'in_file_only', False))
    logging.getLogger('matplotlib').setLevel(logging.WARNING)   # it tells of its fonts
    handlers = [console]
    if log_file:
        try:
            os.makedirs(os.path.dirname(os.path.abspath(log_file)), exist_ok=True)
            handlers.append(logging.FileHandler(log_file))
        except OSError as error:
            raise SniperError(f'cannot write the log file {log_file}: {error.strerror or error}') from None
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True,
                        format='%(asctime)s %(message)s', datefmt='%H:%M:%S')


def keep_configuration(path, config, workers, overrides=()):
    """Write environment and configuration to the YAML file `path`, and log where they are and what --set changed."""
    facts = _environment()
    if not workers.alone:
        facts.append(('rank', f'{workers.rank} of {workers.count} workers, on {platform.node()}'))
    with text_writer(path) as stream:
        stream.write(configuration_text(config, facts))
    changed = ', '.join(map(' '.join, zip(overrides[::2], overrides[1::2])))
    logger.info('Environment and configuration: %s%s', path, f' (--set {changed})' if changed else '')


def _environment():
    """[(what, value)] of the machine and the libraries."""
    import cv2
    import numpy as np

    from sniper_mxnet import mx
    return [('command', ' '.join(sys.argv)), ('folder', os.getcwd()), ('Python', platform.python_version()),
            ('MXNet', mx.__version__), ('NumPy', np.__version__), ('OpenCV', cv2.__version__),
            ('machine', f'{platform.system()} {platform.machine()}, {num_cores()} of {os.cpu_count()} cores'),
            ('OMP_NUM_THREADS', os.environ.get('OMP_NUM_THREADS', 'not set'))]


def run(main, argv=None, prints=False):
    """Run `main(argv)` as a program and leave with its status.

    A user's mistake or an incomplete installation becomes one line and status 1; that line, or the traceback of a bug,
    goes to the log file too.

    prints: whether what stands on standard output is what the program is for. If so, it ends quietly when the reader
    has gone (`... | head`), and a full disk is an error. If not, its files are: whatever becomes of standard output and
    error, closed, full or unread, the work goes on, and a line of warning says what is lost.
    """
    open_closed_streams()
    with watched(stdout_raises=prints) as (stdout, stderr):
        status = _status(main, argv, stdout)
        lost = stdout.finish()
        if prints and isinstance(lost, BrokenPipeError):
            status = status or CUT_SHORT
        elif prints and lost and not status:
            _complain(f'error: standard output cannot be written: {_reason(lost)}')
            status = 1
        elif lost and not isinstance(lost, BrokenPipeError):
            _complain(f'standard output cannot be written ({_reason(lost)}): what was printed is lost, files are not')
        stderr.finish()
    sys.exit(status)


def _status(main, argv, stdout):
    """Exit status of `main(argv)`; the exception of a bug comes through."""
    try:
        return main(argv)
    except SystemExit as leaving:  # argparse, after --help
        return leaving.code
    except KeyboardInterrupt:
        _complain('interrupted')
        return 130
    except Exception as error:
        if error is stdout.lost:  # `run` says it
            return 0
        message = _one_line(error)
        if message:
            _complain('error: ' + message)
            return 1
        _log('ended by a bug', exc_info=True)
        raise


def _reason(error):
    return getattr(error, 'strerror', None) or str(error)


def _one_line(error):
    """What is wrong and how to mend it, or None if the error is a bug."""
    if isinstance(error, SniperError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == 'MXNetError' and _NO_MEMORY.search(str(error)):
        return ('memory ran out: lower BATCH_IMAGES, TRAIN.CHIP_SIZE or the sizes in TEST.SCALES, or the number of '
                'processes (NUM_PROCESS, TEST.CONCURRENT_JOBS)')
    if isinstance(error, OSError) and error.errno in _SYSTEM_REFUSES:
        return ': '.join(printable(part) for part in (error.filename, error.strerror) if part)
    if isinstance(error, ImportError):
        name = error.name or ''
        if name.startswith('lib.') and name.endswith('_ext'):
            return f'the compiled module {name} is missing or out of date ({error}); run: bash scripts/compile.sh'
        if name in ('mxnet', 'sniper_mxnet'):
            if not isinstance(error, ModuleNotFoundError):  # it is there, and says why it does not load
                return str(error)
            return ('this needs MXNet, which is not here: run what scripts/export_onnx.py has written '
                    '(docs/engines.md), or make an environment with MXNet by scripts/setup.sh')
        absent = isinstance(error, ModuleNotFoundError) and name.split('.')[0] not in ('lib', 'symbols', 'configs')
        if absent or not name:  # without a name: a package says that it cannot work here
            return f'{error}; to install what is missing, run: bash scripts/setup.sh'
    return None


def _complain(message):
    """One line on standard error and in the log file."""
    _log(message)
    print(message, file=sys.stderr)


def _log(message, exc_info=False):
    """Into the log file, if there is one, and not on standard error, where it stands anyway."""
    if any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers):
        logger.error(message, exc_info=exc_info, extra={'in_file_only': True})
