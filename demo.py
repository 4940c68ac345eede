"""Detect objects in one image: python demo.py --cfg FILE [--im_path IMAGE] [--save_prefix P] [--set KEY VALUE ...]

Writes <name>_detections.jpg beside the image and prints a table of the detections.
"""
import argparse

from lib.tasks import check_config
from lib.cli import add_config_arguments, config_from_arguments, run, setup_logging
from lib.engine.precision import prepare


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(description='Detect objects in one image with a SNIPER detector.')
    parser.add_argument('--im_path', default='data/demo/demo.jpg', metavar='IMAGE',
                        help='image to look at (default: %(default)s)')
    args = add_config_arguments(parser).parse_args(argv)
    setup_logging()
    config = config_from_arguments(args)
    check_config(config, 'demo')
    prepare(config)
    from lib.inference.single import run_demo
    path, table = run_demo(config, args.cfg, args.save_prefix, args.im_path)
    print(table)
    print(f'picture: {path}')
    return 0


if __name__ == '__main__':
    run(main)
