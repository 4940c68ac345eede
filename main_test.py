"""Evaluate a trained detector: python main_test.py --cfg FILE [--save_prefix P] [--vis] [--report] [--set KEY VALUE…]

On several machines: `--shard 1/3`, `--shard 2/3` and `--shard 3/3` test a third of the images each, `--merge` then
joins and evaluates what they found (docs/distributed.md).

The checkpoint is the one of the configuration's training image_set with the number TEST.TEST_EPOCH. Detections, result
files and metrics go to a folder of the data set and the checkpoint, beside the checkpoint (lib/weights/paths.py). With
TEST.EXTRACT_PROPOSALS it writes proposals instead, for the negative chips of a training, to TEST.PROPOSAL_SAVE_PATH.
MXNet is imported inside functions: spawned processes import this file again.
"""
import argparse
import functools
import shlex

from lib.cli import add_config_arguments, config_from_arguments, run, setup_logging
from lib.engine.precision import prepare
from lib.tasks import check_config, log_remarks
from lib.utils.errors import SniperError
from lib.utils.user_path import user_path


def main(argv=None):
    """-> exit status 0; raises SniperError for a user's mistake."""
    parser = argparse.ArgumentParser(description='Evaluate a trained SNIPER detector.')
    parser.add_argument('--vis', action='store_true',
                        help='draw the detections: pictures/dets_final beside the results, or '
                        'TEST.VISUALIZATION_PATH/dets_final where that is set')
    parser.add_argument('--report', action='store_true',
                        help='write report.html beside the results: scores, curves, errors by kind, worst pictures')
    parser.add_argument('--compare', type=user_path, metavar='RUN', help='a report that sets the results in the folder '
                        'RUN, of an earlier test of the same images, beside those of this one')
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument('--shard', metavar='I/N', help='test part I of N of the images, I from 1 to N, and keep what is '
                       'found for --merge')
    parts.add_argument('--merge', nargs='?', type=int, const=0, metavar='N',
                       help='evaluate what N shards have found (default: as many as there are)')
    args = add_config_arguments(parser).parse_args(argv)
    setup_logging()
    config = config_from_arguments(args)
    check_config(config, 'test')
    log_remarks(config, 'test')
    prepare(config)
    if args.merge is not None:
        check_merge(args.merge)
    if config.TEST.EXTRACT_PROPOSALS:
        extract(config, args)
    else:
        test(config, args)
    return 0


def check_merge(count):
    """SniperError for a number of shards that there cannot be; 0 is what --merge without a number gives."""
    from lib.inference.shards import MOST
    if not 0 <= count <= MOST:
        raise SniperError(f'--merge {count}: there are at least 1 and at most {MOST} shards')


def test(config, args):
    """Detections of all images, of a shard, or of all shards."""
    from lib.inference.evaluate import run_test
    from lib.inference.shards import Shard, run_merge, run_shard
    command = functools.partial(command_line, args)
    page = page_request(args)
    if args.shard:
        if args.vis or page:
            raise SniperError(f'{"--vis draws" if args.vis else "--report tells of"} all detections: give it to '
                              '--merge, not to --shard')
        run_shard(config, args.cfg, args.save_prefix, Shard.parse(args.shard), command)
    elif args.merge is not None:
        run_merge(config, args.cfg, args.save_prefix, args.merge, command, draw=args.vis, page=page)
    else:
        run_test(config, args.cfg, args.save_prefix, draw=args.vis, page=page)


def page_request(args):
    """What --report and --compare ask for, None for nothing; SniperError, before anything is tested, if there is
    nothing to compare with."""
    from lib.inference.evaluate import PageRequest
    from lib.inference.other_test import find_results
    if args.compare is not None:
        return PageRequest(find_results(args.compare))
    return PageRequest() if args.report else None


def extract(config, args):
    """Proposals of all images, of a shard, or of all shards."""
    if args.vis or args.report or args.compare is not None:
        raise SniperError(f'{"--vis draws" if args.vis else "--report tells of"} detections, but '
                          'TEST.EXTRACT_PROPOSALS makes none: leave one of them out')
    from lib.inference.proposals import Extraction
    from lib.inference.shards import Shard
    extraction, command = Extraction(config, args.cfg, args.save_prefix), functools.partial(command_line, args)
    if args.shard:
        extraction.run_shard(Shard.parse(args.shard), command)
    elif args.merge is not None:
        extraction.run_merge(args.merge, command)
    else:
        extraction.run()


def command_line(args, flags):
    """This command with other `flags` in the place of --shard or --merge, as a line for a shell."""
    words = ['python', 'main_test.py'] + flags + ['--cfg', args.cfg, '--save_prefix', args.save_prefix]
    return ' '.join(map(shlex.quote, words + (['--set'] + args.overrides if args.overrides else [])))


if __name__ == '__main__':
    run(main)
