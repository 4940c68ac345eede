"""What the shipped detector gains as a start on other data: python -m benchmarks.pretrained --data FOLDER [options]

Trains sniper_tiny on a data set from random weights and from the shipped weights (network.pretrained sniper_tiny), with
settings that are equal otherwise, for each of --minutes of one core; tests each; and writes OUT/NAME/rows.jsonl and
OUT/NAME/table.md. The settings are those of `lib.suggest` (--cfg: others), the schedule of each length is fitted to it:
the rate falls to its end within the run.

Minutes are the processor's, not the wall clock's, so that a busy machine changes nothing: the processor's seconds of a
batch are measured once a data set, by the training itself, all in one process (TRAIN.NUM_PROCESS 0), and kept in
pace.json; so many batches are trained as fit. What each training then took of the processor, with its start and its
checkpoints, is in the rows too.

A row that is done is not done again, and a training that was stopped goes on (--resume), so the same command may be
given again. With --only, both starts may run side by side, each with `taskset -c N` in front:

    taskset -c 1 python -m benchmarks.pretrained --data data/bccd --upside_down --only random
"""
import argparse
import fcntl
import json
import os
import resource
import subprocess
import sys
from typing import Dict, List

from benchmarks.accuracy import ROOT, read_metrics
from benchmarks.timing import json_line, table
from configs import load_config
from lib import cli
from lib.utils.errors import SniperError
from lib.utils.files import text_writer
from lib.utils.user_path import user_path

STARTS = {'random': '', 'pretrained': 'sniper_tiny'}
METRICS = ('AP', 'AP50', 'APs', 'APm', 'APl')
WARM_SHARE = 0.1        # of all batches that warm-up may take
LONGEST = 12            # times its minutes, and as many minutes more, that a training may take on a busy machine


def main(argv=None) -> int:
    """-> exit status 0. Mistakes raise SniperError."""
    args = parse(argv)
    place = os.path.join(args.out, args.name)
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, 'lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # of two runs side by side, one prepares
        cfg = settings(args, place)
        pace = seconds_a_batch(cfg, place, args.seconds)
    for minutes in sorted(args.minutes):
        for start in [args.only] if args.only else list(STARTS):
            if not done(place, start, minutes):
                append(place, row_of(args, cfg, place, start, minutes, pace))
                write_table(place)
    print('\n'.join(write_table(place)))
    return 0


def parse(argv):
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=user_path, required=True, metavar='FOLDER', help='the data set')
    parser.add_argument('--name', default='', help='of the data set in results (default: last folders of --data)')
    parser.add_argument('--minutes', type=float, nargs='+', default=[2, 5, 10, 30], help='default: 2 5 10 30')
    parser.add_argument('--only', choices=sorted(STARTS), help='one of the two')
    parser.add_argument('--cfg', type=user_path, metavar='FILE', help='settings (default: of lib.suggest)')
    parser.add_argument('--upside_down', action='store_true', help='for lib.suggest: objects look natural so')
    parser.add_argument('--seconds', type=float, default=40, metavar='N', help='to measure for (default: %(default)s)')
    parser.add_argument('--out', default='output/pretrained', metavar='FOLDER', help='default: %(default)s')
    args = parser.parse_args(argv)
    if not all(0 < minutes <= 600 for minutes in args.minutes):
        raise SniperError(f'--minutes {args.minutes}: give minutes above 0, at most 600')
    args.data, args.out = os.path.abspath(args.data), os.path.abspath(args.out)
    args.cfg = args.cfg and os.path.abspath(args.cfg)
    args.name = args.name or '_'.join(args.data.split(os.sep)[-2:])
    return args


def settings(args, place: str) -> str:
    """Path of the configuration: --cfg, or what lib.suggest wrote for the data once."""
    if args.cfg:
        return args.cfg
    path = os.path.join(place, 'settings.yml')
    if not os.path.exists(path):
        call('-m', 'lib.suggest', '--data', args.data, '--out', path, *['--upside_down'] * args.upside_down)
    return path


def words(cfg_output: str, **more) -> List[str]:
    """--set pairs that all runs share, and `more` with __ for the dot of a key."""
    keys = {'output_path': cfg_output, 'gpus': 'cpu', 'TRAIN.NUM_PROCESS': 0, 'TEST.SHIPPED_MODEL': "''"}
    keys.update({name.replace('__', '.'): value for name, value in more.items()})
    return [str(word) for pair in keys.items() for word in pair]


def seconds_a_batch(cfg: str, place: str, seconds: float) -> Dict[str, float]:
    """{'seconds': the processor's a batch, 'batches': an epoch}, measured once and kept."""
    path = os.path.join(place, 'pace.json')
    if not os.path.exists(path):
        from lib.dataset import load_training_roidb
        from lib.engine.devices import share_cores
        from lib.suggest.pace import measured_pace
        config = load_config(cfg, words(place, network__pretrained=''))
        share_cores(config)
        roidb, classes = load_training_roidb(config)
        config.dataset.NUM_CLASSES = len(classes)
        pace, chips = measured_pace(config, roidb, seconds), config.TRAIN.BATCH_IMAGES
        with text_writer(path) as stream:
            json.dump({'seconds': chips * pace.cores / pace.rate, 'batches': pace.chips // chips}, stream)
    with open(path, encoding='utf-8') as stream:
        return json.load(stream)


def schedule(config, pace: Dict[str, float], minutes: float) -> Dict[str, int]:
    """Keys with which a training takes so many minutes of the processor: epochs of equal length, and warm-up."""
    batches = max(1, round(60 * minutes / pace['seconds']))
    epochs = -(-batches // pace['batches'])
    length = max(1, round(batches / epochs))
    return {'TRAIN__end_epoch': epochs, 'TEST__TEST_EPOCH': epochs, 'TRAIN__MAX_BATCHES': length,
            'TRAIN__warmup_step': max(1, min(config.TRAIN.warmup_step, int(WARM_SHARE * epochs * length)))}


def row_of(args, cfg: str, place: str, start: str, minutes: float, pace) -> dict:
    """Train and test -> what goes into rows.jsonl."""
    out = os.path.join(place, f'{start}-{minutes:g}')
    keys = schedule(load_config(cfg), pace, minutes)
    pairs = words(out, network__pretrained=STARTS[start] or "''", **keys)
    resumed = os.path.isdir(out)
    spent = call('main_train.py', '--cfg', cfg, *['--resume'] * resumed, '--set', *pairs,
                 timeout=60 * LONGEST * (minutes + 1))
    call('main_test.py', '--cfg', cfg, '--set', *pairs, timeout=3600)
    metrics = read_metrics(out)
    return dict({name: metrics[name] for name in METRICS}, data=args.name, start=start, minutes=minutes,
                batches=keys['TRAIN__end_epoch'] * keys['TRAIN__MAX_BATCHES'],
                seconds_a_batch=round(pace['seconds'], 3),
                processor_minutes=None if resumed else round(spent / 60, 2))


def call(*command: str, timeout: float = 600) -> float:
    """Run Python with these arguments in the repository root, for `timeout` seconds at most -> seconds of the
    processor that it took. SniperError if it fails."""
    print('+ python', ' '.join(command), flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.terminate()     # a training saves where it is
        process.wait()
        raise SniperError(f'after {timeout / 60:.0f} minutes of the wall clock this was ended: python '
                          f'{" ".join(command)}; give the same command again, and it goes on') from None
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status:
        raise SniperError(f'this command failed with status {status}: python {" ".join(command)}')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows(place: str) -> List[dict]:
    """All that are done."""
    path = os.path.join(place, 'rows.jsonl')
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as stream:
        return [json.loads(line) for line in stream if line.strip()]


def done(place: str, start: str, minutes: float) -> bool:
    """Whether there is a row."""
    return any(row['start'] == start and row['minutes'] == minutes for row in rows(place))


def append(place: str, row: dict) -> None:
    """One line, written at once: two runs side by side write the same file."""
    with open(os.path.join(place, 'rows.jsonl'), 'a', encoding='utf-8') as stream:
        stream.write(json_line('pretrained', **row) + '\n')


def write_table(place: str) -> List[str]:
    """Lines of table.md: a row a length, AP and AP50 from both starts."""
    found = {(row['minutes'], row['start']): row for row in rows(place)}
    header = ['minutes', 'batches'] + [f'{metric}, {start}' for metric in METRICS[:2] for start in STARTS]
    lines = table(header, [
        [f'{minutes:g}', next(found[minutes, start]['batches'] for start in STARTS if (minutes, start) in found)]
        + [f'{found[minutes, start][metric]:.3f}' if (minutes, start) in found else '' for metric in METRICS[:2]
           for start in STARTS] for minutes in sorted({minutes for minutes, _ in found})])
    with text_writer(os.path.join(place, 'table.md')) as stream:
        stream.write('\n'.join(lines) + '\n')
    return lines


if __name__ == '__main__':
    cli.run(main)
