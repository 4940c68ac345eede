"""Evaluate a trained detector: python main_test.py --cfg FILE [--save_prefix P] [--vis] [--set KEY VALUE ...]

The checkpoint is the one of the configuration's training image_set with the number TEST.TEST_EPOCH. Detections, the
COCO result file and the table of AP go to output_path. With TEST.EXTRACT_PROPOSALS it writes proposals instead, for the
negative chips of a training, to TEST.PROPOSAL_SAVE_PATH. MXNet is imported inside functions: spawned processes import
this file again.
"""
import argparse

from configs import check_supported
from lib.cli import add_config_arguments, config_from_arguments, run, setup_logging
from lib.errors import SniperError


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(description='Evaluate a trained SNIPER detector.')
    parser.add_argument('--vis', action='store_true',
                        help='draw the detections into TEST.VISUALIZATION_PATH/dets_final')
    args = add_config_arguments(parser).parse_args(argv)
    setup_logging()
    config = config_from_arguments(args)
    check_supported(config, 'test')
    if config.TEST.EXTRACT_PROPOSALS:
        if args.vis:
            raise SniperError('--vis draws detections, but TEST.EXTRACT_PROPOSALS makes none: leave one of them out')
        from lib.inference.proposals import run_extraction
        run_extraction(config, args.cfg, args.save_prefix)
        return 0
    from lib.inference.evaluate import run_test
    run_test(config, args.cfg, args.save_prefix, draw=args.vis)
    return 0


if __name__ == '__main__':
    run(main)
