"""`python -m configs FILE [--set KEY VALUE ...]`: print the configuration that a run would have."""
import argparse

import yaml

from configs.keys import ALL_KEYS, plain_value
from configs.loader import load_config
from configs.schema import Key


def _text(value):
    """A value as YAML on one line; pairs as lists, which load as pairs again."""
    text = yaml.safe_dump(plain_value(value), default_flow_style=True, width=float('inf'))
    return text.replace('\n...', '').strip()


def describe(config, keys=None, meanings=False, indent=''):
    """YAML lines of a configuration; with `meanings` what each key means follows as a comment."""
    for name, declared in (ALL_KEYS if keys is None else keys).items():
        if isinstance(declared, Key):
            line = f'{indent}{name}: {_text(config[name])}'
            yield f'{line}  # {declared.meaning}' if meanings else line
        else:
            yield f'{indent}{name}:'
            yield from describe(config[name], declared, meanings, indent + '  ')


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
