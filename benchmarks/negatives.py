"""What negative chips change: python -m benchmarks.negatives [--batches N] [--proposals-cfg FILE] [--out FOLDER]

On the synthetic data set (made if missing): sniper_tiny's proposal network is trained, its proposals of the training
images extracted, then the detector is trained twice for two epochs from the same random weights, without and with
negative chips, and both are evaluated on the validation split. An epoch is every positive chip once, so that the
training with negative chips has more batches; with --batches both have as many, and the negative chips take the place
of positive ones. Prints AP, AP50 and false positives an image (detections that COCO's matching at IoU 0.5 leaves
without an object), and one JSON line. Three quarters of an hour on two cores. Exit status 1 unless false positives fall
at equal or better AP.

With --proposals-cfg the network of that configuration is trained, one class, on the same images too, and a third
detector with negative chips from its proposals; seconds of both ways to proposals are printed. Exit status 1 if its
false positives are more than 5 % above those with the detector's own proposals.
"""
import argparse
import contextlib
import glob
import io
import os
import sys
import time

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks import timing
from benchmarks.accuracy import ROOT, read_metrics, run

CONFIGURATION = 'configs/faster/sniper_tiny_neg.yml'
EPOCHS = 2
PROPOSAL_BATCHES = 250   # an epoch of the proposal network
THRESHOLDS = (0.1, 0.3, 0.5)
ROOM = 1.05     # of false positives, with another network's proposals
FROM_SCRATCH = ['TEST.SHIPPED_MODEL', "''"]


def main(argv=None):
    """-> exit status: 0 if negative chips lower the false positives and keep AP."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batches', type=int, default=0, metavar='N', help='an epoch at most (default: all chips)')
    parser.add_argument('--out', default='output/negatives', metavar='FOLDER', help='results (default: %(default)s)')
    parser.add_argument('--proposals-cfg', metavar='FILE', help='of another network that proposes, such as '
                        'configs/arm/sniper_arm_slim.yml')
    args = parser.parse_args(argv)
    run('-m', 'lib.dataset.synthetic')
    proposals, seconds = timed(own_proposals, args)
    ways = {'without': (None, 0.0), 'with': (proposals, seconds)}
    if args.proposals_cfg:
        ways['others'] = timed(others_proposals, args)
    rows = {name: dict(trained(args, name, folder), seconds=round(seconds)) for name, (folder, seconds) in ways.items()}
    header = ['negative chips', 'proposals, s', 'AP', 'AP50'] + [f'FP an image, score >= {limit:g}'
                                                                 for limit in THRESHOLDS]
    print('\n'.join(timing.table(header, [
        [name, row['seconds'], *(f'{row[figure]:.3f}' for figure in ('AP', 'AP50')),
         *(f'{few:.2f}' for few in row['false_positives'])] for name, row in rows.items()])))
    holds = fewer(rows['without'], rows['with']) if 'others' not in rows else no_more(rows['with'], rows['others'])
    print(timing.json_line('negatives', batches=args.batches, thresholds=THRESHOLDS, rows=rows, holds=holds))
    return 0 if holds else 1


def fewer(without, with_them):
    """Whether negative chips lower the false positives at every score, and keep AP."""
    return with_them['AP'] >= without['AP'] and all(
        few < many for few, many in zip(with_them['false_positives'], without['false_positives']))


def no_more(own, others):
    """Whether another network's proposals leave no more false positives, but for ROOM."""
    return all(other <= ROOM * few for other, few in zip(others['false_positives'], own['false_positives']))


def timed(work, args):
    """(what `work` returns, seconds)."""
    start = time.perf_counter()
    return work(args), time.perf_counter() - start


def own_proposals(args):
    """Folder with the proposals of the training images, by a proposal network trained for 500 batches."""
    return proposals_of(CONFIGURATION, os.path.join(args.out, 'proposal_network'), os.path.join(args.out, 'proposals'),
                        'TRAIN.ONLY_PROPOSAL', 'True', 'TRAIN.USE_NEG_CHIPS', 'False', 'TRAIN.MAX_BATCHES',
                        str(min(PROPOSAL_BATCHES, args.batches or PROPOSAL_BATCHES)))


def others_proposals(args):
    """Folder with those of the network of args.proposals_cfg, after as many batches, as the script has it."""
    return proposals_of(args.proposals_cfg, os.path.join(args.out, 'other_network'),
                        os.path.join(args.out, 'other_proposals'), 'dataset.dataset', 'synthetic',
                        'dataset.dataset_path', 'data/synthetic', 'dataset.image_set', 'train',
                        'dataset.CLASS_AGNOSTIC', 'True', 'TRAIN.MAX_BATCHES', str(PROPOSAL_BATCHES))


def proposals_of(configuration, network, folder, *keys):
    """`folder`, with the proposals of the network of a configuration, trained for EPOCHS."""
    keys = [*keys, 'output_path', network]
    run('main_train.py', '--cfg', configuration, '--set', *keys, 'TRAIN.end_epoch', str(EPOCHS))
    run('main_test.py', '--cfg', configuration, '--set', *keys, *FROM_SCRATCH, 'TEST.TEST_EPOCH', str(EPOCHS),
        'TEST.EXTRACT_PROPOSALS', 'True', 'TEST.PROPOSAL_SAVE_PATH', folder, 'dataset.test_image_set', 'train')
    return folder


def trained(args, name, proposals):
    """Figures of a detector trained with negative chips from a folder of proposals, or without any."""
    out = os.path.join(args.out, name)
    keys = ['TRAIN.USE_NEG_CHIPS', str(bool(proposals)), 'proposal_path', proposals or '.', 'output_path', out]
    run('main_train.py', '--cfg', CONFIGURATION, '--set', *keys, 'TRAIN.end_epoch', str(EPOCHS), 'TRAIN.MAX_BATCHES',
        str(args.batches))
    run('main_test.py', '--cfg', CONFIGURATION, '--set', *keys, *FROM_SCRATCH, 'TEST.TEST_EPOCH', str(EPOCHS))
    metrics = read_metrics(out)
    detections = max(glob.glob(os.path.join(ROOT, out, '*', '*', 'results', '*', '*', '*_results.json')),
                     key=os.path.getmtime)
    return {'AP': metrics['AP'], 'AP50': metrics['AP50'],
            'false_positives': false_positives('data/synthetic/annotations/instances_val.json', detections)}


def false_positives(annotations, detections):
    """Detections an image without an object of their class at IoU 0.5, for each score of THRESHOLDS.

    annotations, detections: COCO files. Crowds match without counting, as in COCO's AP.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its loading times
        truth = COCO(os.path.join(ROOT, annotations))
        evaluation = COCOeval(truth, truth.loadRes(detections), 'bbox')
        evaluation.params.iouThrs = evaluation.params.iouThrs[:1]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ['all']
        evaluation.evaluate()
    counts = [0] * len(THRESHOLDS)
    for image in filter(None, evaluation.evalImgs):
        wrong = [score for score, match, ignored in zip(image['dtScores'], image['dtMatches'][0], image['dtIgnore'][0])
                 if not match and not ignored]
        counts = [count + sum(score >= limit for score in wrong) for count, limit in zip(counts, THRESHOLDS)]
    return [count / len(truth.getImgIds()) for count in counts]


if __name__ == '__main__':
    sys.exit(main())
