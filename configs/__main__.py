"""`python -m configs FILE [--keys KEY,...] [--set KEY VALUE ...]`: print the configuration that a run would have."""
import argparse

from configs.keys import declared_keys, plain_value, value_of
from configs.loader import load_config, nearest_key
from configs.schema import ConfigError
from configs.text import describe


def main(argv=None):
    """Print the configuration of the command line."""
    parser = argparse.ArgumentParser(prog='python -m configs', description=__doc__)
    parser.add_argument('file', nargs='?', help='YAML configuration; without it the defaults are shown')
    parser.add_argument('--meanings', action='store_true', help='say what each key means')
    parser.add_argument('--keys', metavar='KEY,...', help='print these alone, each on a line, its value on the next, '
                        'as --set takes them')
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE', dest='overrides',
                        help='keys and values that win over the file; must come last')
    args = parser.parse_args(argv)
    config = load_config(args.file, args.overrides)
    if args.keys is None:
        print('\n'.join(describe(config, meanings=args.meanings)))
        return
    names, known = args.keys.split(','), declared_keys()
    for name in names:
        if name not in known:
            raise ConfigError(f'--keys: there is no configuration key {name!r}; the nearest valid key is '
                              f'{nearest_key(name, list(known))}')
    for name in names:
        print(name, repr(plain_value(value_of(config, name))), sep='\n')


if __name__ == '__main__':
    from lib.cli import run
    run(main, prints=True)
