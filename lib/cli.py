"""What the three command lines share: arguments, logging, and one-line errors."""
import argparse
import logging
import os
import sys

from configs import load_config
from lib.errors import SniperError

DEFAULT_CONFIG = 'configs/faster/sniper_res101_e2e.yml'


def add_config_arguments(parser, default_config=DEFAULT_CONFIG):
    """Add --cfg, --save_prefix and --set, which every command line understands."""
    parser.add_argument('--cfg', default=default_config, metavar='FILE',
                        help='YAML configuration (default: %(default)s)')
    parser.add_argument('--save_prefix', default='SNIPER',
                        help='file prefix of checkpoints (default: %(default)s)')
    # REMAINDER, so that values such as -1e-3 are not taken for options
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE', dest='overrides',
                        help='configuration keys and values that win over the file; must come last')
    return parser


def config_from_arguments(args):
    """Parsed arguments -> configuration (EasyDict)."""
    return load_config(args.cfg, args.overrides)


def setup_logging(log_file=None):
    """Log to standard error, and to `log_file` too if given (its folder is made). Called by entry points only."""
    handlers = [logging.StreamHandler()]
    if log_file:
        os.makedirs(os.path.dirname(os.path.abspath(log_file)), exist_ok=True)
        handlers.append(logging.FileHandler(log_file))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True,
                        format='%(asctime)s %(message)s', datefmt='%H:%M:%S')


def run(main, argv=None):
    """Run `main(argv)` as a program: a SniperError becomes one line and exit status 1."""
    try:
        sys.exit(main(argv))
    except SniperError as error:
        print('error: %s' % error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        sys.exit(130)
