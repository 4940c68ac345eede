"""What negative chips change: python -m benchmarks.negatives [--batches N] [--out FOLDER]

On the synthetic data set (made if missing): sniper_tiny's proposal network is trained, its proposals of the training
images extracted, then the detector is trained twice for two epochs from the same random weights, without and with
negative chips, and both are evaluated on the validation split. An epoch is every positive chip once, so that the
training with negative chips has more batches; with --batches both have as many, and the negative chips take the place
of positive ones. Prints AP, AP50 and false positives an image (detections that COCO's matching at IoU 0.5 leaves
without an object), and one JSON line. Three quarters of an hour on two cores. Exit status 1 unless false positives fall
at equal or better AP.
"""
import argparse
import contextlib
import glob
import io
import os
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks import timing
from benchmarks.accuracy import ROOT, read_metrics, run

CONFIGURATION = 'configs/faster/sniper_tiny_neg.yml'
EPOCHS = 2
PROPOSAL_BATCHES = 250   # an epoch of the proposal network
THRESHOLDS = (0.1, 0.3, 0.5)
FROM_SCRATCH = ['TEST.SHIPPED_MODEL', "''"]


def main(argv=None):
    """-> exit status: 0 if negative chips lower the false positives and keep AP."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batches', type=int, default=0, metavar='N', help='an epoch at most (default: all chips)')
    parser.add_argument('--out', default='output/negatives', metavar='FOLDER', help='results (default: %(default)s)')
    args = parser.parse_args(argv)
    run('-m', 'lib.dataset.synthetic')
    proposals = extract_proposals(args)
    rows = {name: trained(args, name, proposals) for name in ('without', 'with')}
    header = ['negative chips', 'AP', 'AP50'] + [f'FP an image, score >= {limit:g}' for limit in THRESHOLDS]
    print('\n'.join(timing.table(header, [
        [name, f'{row["AP"]:.3f}', f'{row["AP50"]:.3f}'] + [f'{fp:.2f}' for fp in row['false_positives']]
        for name, row in rows.items()])))
    without, with_them = rows['without'], rows['with']
    holds = with_them['AP'] >= without['AP'] and all(
        fewer < more for fewer, more in zip(with_them['false_positives'], without['false_positives']))
    print(timing.json_line('negatives', batches=args.batches, thresholds=THRESHOLDS, rows=rows, holds=holds))
    return 0 if holds else 1


def extract_proposals(args):
    """Folder with the proposals of the training images, by a proposal network trained for 500 batches."""
    network, folder = os.path.join(args.out, 'proposal_network'), os.path.join(args.out, 'proposals')
    keys = ['TRAIN.ONLY_PROPOSAL', 'True', 'TRAIN.USE_NEG_CHIPS', 'False', 'output_path', network]
    run('main_train.py', '--cfg', CONFIGURATION, '--set', *keys, 'TRAIN.end_epoch', str(EPOCHS), 'TRAIN.MAX_BATCHES',
        str(min(PROPOSAL_BATCHES, args.batches or PROPOSAL_BATCHES)))
    run('main_test.py', '--cfg', CONFIGURATION, '--set', *keys, *FROM_SCRATCH, 'TEST.TEST_EPOCH', str(EPOCHS),
        'TEST.EXTRACT_PROPOSALS', 'True', 'TEST.PROPOSAL_SAVE_PATH', folder, 'dataset.test_image_set', 'train')
    return folder


def trained(args, name, proposals):
    """Figures of a detector trained `with` or `without` negative chips."""
    out = os.path.join(args.out, name)
    keys = ['TRAIN.USE_NEG_CHIPS', str(name == 'with'), 'proposal_path', proposals, 'output_path', out]
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
