"""Where a run keeps its files, and which there are. (lib.weights.checkpoint reads and writes them.)

    <output_path or ./output>/<configuration>/<training image sets>/
        <prefix>-symbol.json, <prefix>-0003.params, ...         checkpoints, see lib.weights.checkpoint
        <prefix>-iter1000.params, ...                           the same, of training by iterations
        <prefix>-0003-ema.params, <prefix>-best.params          averaged weights; those of the best validation
        <prefix>-metrics-<run>.jsonl, tensorboard/              how the training went
        results/<data set>_<test image sets>/<prefix>-0003/     what tests of the checkpoint of epoch 3 found there
        before-<date-time>/                                     an earlier run, see lib.weights.earlier_runs
"""
import json
import os
import re
from typing import List, Optional, Tuple, Union

from configs import config_name
from lib.utils.errors import SniperError

DEFAULT_OUTPUT_PATH = './output'
SAVE_PREFIX = 'SNIPER'  # of checkpoints, where nobody says another
RESULTS = 'results'  # folder of what tests found, beside the checkpoints
ASIDE = 'before-'  # how folders begin into which an earlier run's files were moved
RUN_LETTERS = 8      # of a run's name in names of files
FOREIGN = ('.pth', '.pt', '.safetensors', '.onnx', '.caffemodel')    # endings of files that lib.weights.convert reads
INTERRUPTED = 'interrupted'  # tag of the checkpoint where a training was stopped within an epoch
ITERATION = 'iter'           # how tags of checkpoints begin that are called by iterations, iter1000
BEST = 'best'                # tag of the weights of the best validation
VALIDATED = 'validated'      # tag of weights while they are validated
AVERAGE = '-ema'             # what follows the tag of a checkpoint in the tag of the averaged weights beside it
TAG = fr'(?:(?:\d{{4,}}|{INTERRUPTED}|{ITERATION}\d+)(?:{AVERAGE})?|{BEST})'    # of weights that may be tested


def output_folder(config, cfg_path: str) -> str:
    """`<output_path>/<config base name>/<training image sets joined by '_'>`, the original's layout.

    Tests and the demo look here too, so the folder follows the *training* image set. Nothing is created.
    """
    return os.path.join(config.output_path or DEFAULT_OUTPUT_PATH, config_name(cfg_path),
                        '_'.join(_set_names(config.dataset.image_set)))


def _set_names(image_set: str) -> List[str]:
    """Sets of a configuration key, those of several folders one after another."""
    return [name.strip() for name in re.split('[+,]', image_set)]


def results_folder(config, cfg_path: str, prefix: str, epoch: Union[int, str], treatment: str = '') -> str:
    """`<output folder>/results/<data set>_<test image sets>/<checkpoint>[-<treatment>]`: detections, result files and
    scores.

    prefix, epoch: of the weights that are tested, wherever they lie: a shipped or exported model has a folder of its
    own; treatment: a word for what inference does to them, '' for nothing. So neither another data set nor another
    epoch overwrites anything; further tests of the same are kept apart by lib.inference.results. Results of a run that
    was set aside (lib.weights.earlier_runs) stay with it. Nothing is created.
    """
    data_set = '_'.join([config.dataset.dataset] + _set_names(config.dataset.test_image_set))
    folder, own = output_folder(config, cfg_path), os.path.dirname(prefix)
    if os.path.basename(own).startswith(ASIDE) and os.path.abspath(os.path.dirname(own)) == os.path.abspath(folder):
        folder = own
    name = '-'.join([os.path.basename(prefix), epoch_tag(epoch)] + [treatment] * bool(treatment))
    return os.path.join(folder, RESULTS, data_set, name)


def epoch_tag(epoch: Union[int, str]) -> str:
    """What TEST.TEST_EPOCH may hold -> tag: a number of finished epochs as in the original's file names, '7-ema' ->
    '0007-ema', other words as they are."""
    number, dash, rest = str(epoch).partition('-')
    return (f'{int(number):04d}' if number.isdigit() else number) + dash + rest


def params_path(prefix: str, epoch: Union[int, str]) -> str:
    """Name of the parameter file after `epoch` epochs, or of another that `epoch_tag` knows."""
    return f'{prefix}-{epoch_tag(epoch)}.params'


def split_params_path(path: str) -> Tuple[str, str]:
    """Name of a parameter file -> (prefix, tag), of which `params_path` makes it. SniperError: it is called otherwise.
    """
    match = re.match(fr'(.+)-({TAG})\.params$', path)
    if not match:
        raise SniperError(f'{path} is not called as a checkpoint is, PREFIX-0007.params'
                          f'{misread_prefix(path, "NAME") if path.endswith(FOREIGN) else ""}')
    return match.group(1), match.group(2)


def read_sidecar(prefix: str, epoch: Union[int, str]) -> dict:
    """Side file of an epoch's checkpoint -> dict, {} if there is none (files of the original have none)."""
    return read_json(f'{prefix}-{epoch_tag(epoch)}.json')


def misread_prefix(prefix: str, network: str) -> str:
    """What a prefix without files may have been meant to be, as the end of a sentence, '' if nothing comes to mind: a
    file that wants to be converted to `network` first, or the name of a parameter file."""
    for path in [prefix] + [prefix + ending for ending in FOREIGN]:
        if path.endswith(FOREIGN) and os.path.isfile(path):
            return (f'; {path} is there, and has to be converted: python -m lib.weights.convert {path} --network '
                    f'{network}')
    named = re.match(r'(.+)-(\d{4,})\.params$', prefix)
    return f'; a prefix is wanted, {named.group(1)}, and the number {int(named.group(2))} in a key of its own' \
        if named and os.path.isfile(prefix) else ''


def existing_epochs(prefix: str) -> str:
    """The parameter files there are, as TEST.TEST_EPOCH names them: '1, 2, 7, best'."""
    folder, base = os.path.split(prefix)
    pattern = re.compile(re.escape(base) + fr'-({TAG})\.params$')
    names = sorted(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else []
    tags = [match.group(1) for match in filter(None, map(pattern.match, names))]
    return ', '.join(re.sub('^0+(?=[0-9])', '', tag) for tag in sorted(tags, key=_by_numbers))


def _by_numbers(tag):
    """For sorting: iter900 before iter1000."""
    return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', tag)]


def checkpoints_in(folder: str) -> List[str]:
    """Sorted names of the parameter files of checkpoints in a folder, of whatever prefix; [] if there is no folder."""
    pattern = re.compile(fr'.+-{TAG}\.params$')
    return sorted(filter(pattern.match, os.listdir(folder or '.'))) if os.path.isdir(folder or '.') else []


def metrics_path(prefix: str, run: str) -> str:
    """File of what a training of the name `run` measured of itself, see lib.train.records."""
    return f'{prefix}-metrics{run_ending(run)}.jsonl'


def run_ending(run: str) -> str:
    """What tells files of the training `run` from those of others: '-1a2b3c4d', '' for a run without a name."""
    letters = re.sub(r'\W', '', run)[:RUN_LETTERS]
    return '-' + letters if letters else ''


def metrics_files(prefix: str) -> List[str]:
    """Sorted names of the files of a prefix that `metrics_path` may give."""
    folder, base = os.path.split(prefix)
    pattern = re.compile(re.escape(base) + fr'-metrics(-\w{{1,{RUN_LETTERS}}})?\.jsonl$')
    return sorted(filter(pattern.match, os.listdir(folder or '.'))) if os.path.isdir(folder or '.') else []


def current_run(prefix: str) -> Optional[str]:
    """Name of the run that was begun last, which its checkpoints' side files have as `run`; None if nobody says."""
    return read_json(prefix + '-run.json').get('run')


def set_aside_prefixes(prefix: str, epoch: Union[int, str]) -> List[str]:
    """Prefixes below the folder of `prefix` where a checkpoint of this number was set aside, as --save_prefix has them.
    """
    folder, base = os.path.split(prefix)
    names = sorted(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else []
    return [os.path.join(name, base) for name in names if name.startswith(ASIDE)
            and os.path.isfile(params_path(os.path.join(folder, name, base), epoch))]


def read_json(path: str) -> dict:
    """Mapping in a JSON file -> dict, {} if there is none."""
    try:
        with open(path, encoding='utf-8') as stream:
            content = json.load(stream)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
