"""`python -m configs FILE [--set KEY VALUE ...]`: print the configuration that a run would have."""
import argparse

from configs.loader import load_config
from configs.text import describe


def main(argv=None):
    """Print the configuration of the command line."""
    parser = argparse.ArgumentParser(prog='python -m configs', description=__doc__)
    parser.add_argument('file', nargs='?', help='YAML configuration; without it the defaults are shown')
    parser.add_argument('--meanings', action='store_true', help='say what each key means')
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE', dest='overrides',
                        help='keys and values that win over the file; must come last')
    args = parser.parse_args(argv)
    config = load_config(args.file, args.overrides)
    print('\n'.join(describe(config, meanings=args.meanings)))


if __name__ == '__main__':
    from lib.cli import run
    run(main, prints=True)
