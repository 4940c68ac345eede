"""The accuracy claims of docs/results.md, reproduced: python -m benchmarks.accuracy CLAIM [options]

Each claim runs the command lines that a user would run, prints the COCO table and one JSON line with the figures, the
bar, and whether it holds. Exit status 1 if it does not.

    shipped     the model in data/models on the validation split of the synthetic data set (made if missing)
    bccd        sniper_tiny trained from scratch on the blood cells, train+val, evaluated on test (--data FOLDER)
    coco_mini_mobilenetv2, coco_mini_res101
                one epoch of MobileNetV2, 20 batches of ResNet-101, on real COCO images, from scratch (--data FOLDER)
    m2det_synthetic, m2det_bccd
                m2det_tiny trained from scratch on the synthetic data set, and on the blood cells (--data FOLDER)
    m2det_overfit
                m2det_tiny learns eight real COCO images by heart (--data FOLDER)
    ssh_whole, ssh_chips
                ssh_tiny trained from scratch on faces in WIDER FACE's layout, with its lists: on whole pictures, and on
                chips with as many pixels (--data FOLDER)
    ssh_overfit
                ssh_tiny learns the few pictures of a folder in that layout by heart, train and val (--data FOLDER)
    rfcn3k_tiny24
                rfcn_3k_tiny trained from scratch on 24 classes in ImageNet's layout (--data FOLDER)
"""
import argparse
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TINY = 'configs/faster/sniper_tiny_e2e.yml'
BCCD = 'configs/faster/sniper_tiny_bccd.yml'
SSH_TINY, SSH_CHIPS = 'configs/ssh/ssh_tiny.yml', 'configs/ssh/ssh_tiny_chips.yml'
RFCN_TINY = 'configs/rfcn3k/rfcn3k_tiny.yml'
M2DET_TINY, M2DET_BCCD = 'configs/m2det/m2det_tiny.yml', 'configs/m2det/m2det_tiny_bccd.yml'
# A CPU run from random weights of a configuration that was made for GPUs and pretrained ones.
FROM_SCRATCH_ON_CPU = ['gpus', 'cpu', 'TRAIN.fp16', 'False', 'TRAIN.USE_NEG_CHIPS', 'False', 'network.pretrained', '']


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('claim', choices=sorted(CLAIMS))
    parser.add_argument('--data', metavar='FOLDER', help='the real data set, in COCO format')
    parser.add_argument('--out', default='output/benchmarks', metavar='FOLDER', help='results (default: %(default)s)')
    args = parser.parse_args(argv)
    if args.claim not in ('shipped', 'm2det_synthetic') and not args.data:
        parser.error(f'{args.claim} needs --data FOLDER')
    figures = CLAIMS[args.claim](args)
    figures = dict(claim=args.claim, **figures)
    print(json.dumps(figures, sort_keys=True))
    return 0 if figures['holds'] else 1


def shipped(args):
    """AP of the shipped model; bars: AP50 0.85, AP 0.55."""
    run('-m', 'lib.dataset.synthetic')
    out = os.path.join(args.out, 'shipped')
    seconds = run('main_test.py', '--cfg', TINY, '--set', 'output_path', out)
    return with_bar(read_metrics(out), AP50=0.85, AP=0.55, test_minutes=minutes(seconds))


def bccd(args):
    """AP after training from scratch; bars: AP50 0.85, AP 0.50, 45 minutes of training."""
    return trained('bccd', args, BCCD, ['dataset.dataset_path', args.data], 45, AP50=0.85, AP=0.50)


def m2det_bccd(args):
    """The same with M2Det."""
    return trained('m2det_bccd', args, M2DET_BCCD, ['dataset.dataset_path', args.data], 45, AP50=0.85, AP=0.50)


def m2det_synthetic(args):
    """AP50 of M2Det on the synthetic data after training from scratch; bars: 0.70, 30 minutes of training."""
    run('-m', 'lib.dataset.synthetic')
    return trained('m2det_synthetic', args, M2DET_TINY, [], 30, AP50=0.70)


def m2det_overfit(args):
    """AP50 of M2Det on the eight images that it was trained on, without augmentation; bar: 0.9."""
    data = eight_images(args.data, os.path.join(args.out, 'm2det_overfit', 'data'))
    keys = ['dataset.dataset', 'coco', 'dataset.dataset_path', data, 'dataset.image_set', 'train2017',
            'dataset.test_image_set', 'val2017', 'dataset.NUM_CLASSES', '81', 'M2DET.augment', 'False',
            'TRAIN.end_epoch', '8', 'TEST.TEST_EPOCH', '8']
    return trained('m2det_overfit', args, M2DET_TINY, keys, 30, AP50=0.90)


def ssh_whole(args):
    """AP of SSH by WIDER FACE's rules; bars: easy 0.75, hard 0.55, 45 minutes of training."""
    return trained('ssh_whole', args, SSH_TINY, ['dataset.dataset_path', args.data], 45, easy=0.75, hard=0.55)


def ssh_chips(args):
    """The same on chips."""
    return trained('ssh_chips', args, SSH_CHIPS, ['dataset.dataset_path', args.data], 45, easy=0.75, hard=0.55)


def ssh_overfit(args):
    """AP at IoU 0.5, as WIDER FACE has it, on the pictures that SSH was trained on; bar: 0.95."""
    keys = ['dataset.dataset_path', args.data, 'dataset.image_set', 'train+val', 'dataset.test_image_set', 'train+val',
            'TRAIN.end_epoch', '60']
    return trained('ssh_overfit', args, SSH_TINY, keys, 30, AP50=0.95)


def rfcn3k_tiny24(args):
    """Loss of the classes of R-FCN-3K at the end of training, from ln 24 on; bars: at most 1.5, 20 minutes of training,
    and objects of the first class are found."""
    keys = ['dataset.dataset_path', args.data]
    figures = trained('rfcn3k_tiny24', args, RFCN_TINY, keys, 20, mAP=0.0)
    out = os.path.join(args.out, 'rfcn3k_tiny24')
    loss, (first, of_first) = read_losses(out)['RCNNsubLogLoss'], next(iter(read_metrics(out)['per_class'].items()))
    return dict(figures, class_loss=loss, first_class={first: of_first},
                holds=figures['holds'] and loss[1] <= 1.5 and of_first > 0)


def trained(name, args, cfg, keys, most_minutes, **bars):
    """Train and test a configuration with overrides -> figures with the bars and the time that training may take."""
    out = os.path.join(args.out, name)
    keys = ['--set', 'output_path', out, *keys]
    training = minutes(run('main_train.py', '--cfg', cfg, *keys))
    testing = minutes(run('main_test.py', '--cfg', cfg, *keys))
    figures = with_bar(read_metrics(out), test_minutes=testing, **bars)
    figures.update(training_minutes=training, holds=figures['holds'] and training <= most_minutes)
    return figures


def eight_images(data, out, repeats=25):
    """A COCO data set of the first eight images with objects of `data`, its val2017; in train2017 each is listed
    `repeats` times, so that an epoch is more than one batch. -> its folder."""
    with open(os.path.join(data, 'annotations', 'instances_train2017.json')) as stream:
        whole = json.load(stream)
    objects = collections.defaultdict(list)
    for row in whole['annotations']:
        objects[row['image_id']].append(row)
    images = [row for row in whole['images'] if row['id'] in objects][:8]
    os.makedirs(os.path.join(out, 'annotations'), exist_ok=True)
    for split, times in (('train2017', repeats), ('val2017', 1)):
        os.makedirs(os.path.join(out, 'images', split), exist_ok=True)
        for image in images:
            shutil.copy(os.path.join(data, 'images', 'train2017', image['file_name']),
                        os.path.join(out, 'images', split))
        listed = list(enumerate(images * times, start=1))
        rows = [dict(row, image_id=number) for number, image in listed for row in objects[image['id']]]
        with open(os.path.join(out, 'annotations', f'instances_{split}.json'), 'w') as stream:
            json.dump(dict(whole, images=[dict(image, id=number) for number, image in listed],
                           annotations=[dict(row, id=place) for place, row in enumerate(rows, start=1)]), stream)
    return out


def coco_mini_mobilenetv2(args):
    """One epoch of MobileNetV2 on a few COCO images."""
    return trial('sniper_mobilenetv2_e2e', args, [])


def coco_mini_res101(args):
    """20 batches of ResNet-101 on a few COCO images."""
    return trial('sniper_res101_e2e', args, ['TRAIN.MAX_BATCHES', '20'])


def trial(name, args, stop):
    """Losses at the start and end of a short training, their sum falls; and a result file that pycocotools accepts."""
    out, cfg = os.path.join(args.out, name), f'configs/faster/{name}.yml'
    keys = FROM_SCRATCH_ON_CPU + stop + [
        'dataset.dataset_path', args.data, 'dataset.image_set', 'train2017', 'dataset.test_image_set', 'val2017',
        'output_path', out, 'TRAIN.BATCH_IMAGES', '2', 'TRAIN.end_epoch', '1', 'TEST.TEST_EPOCH', '1']
    training = run('main_train.py', '--cfg', cfg, '--display', '5', '--set', *keys)
    # Weights this young find hardly anything: one coarse scale shows that the chain works.
    testing = run('main_test.py', '--cfg', cfg, '--set', *keys, 'TEST.SCALES', '[(320,512)]', 'TEST.VALID_RANGES',
                  '[(-1,-1)]', 'TEST.BATCH_IMAGES', '[2]', 'TEST.CONCURRENT_JOBS', '1')
    losses = read_losses(out)
    first, last = (sum(pair[which] for pair in losses.values()) for which in (0, 1))
    return {'losses': losses, 'AP': read_metrics(out)['AP'], 'training_minutes': minutes(training),
            'test_minutes': minutes(testing), 'holds': last < first}


CLAIMS = {claim.__name__: claim for claim in (
    shipped, bccd, coco_mini_mobilenetv2, coco_mini_res101, m2det_synthetic, m2det_bccd, m2det_overfit, ssh_whole,
    ssh_chips, ssh_overfit, rfcn3k_tiny24)}


def run(*command):
    """Run Python with these arguments in the repository root -> seconds. Ends the program if it fails."""
    print('+ python', ' '.join(command), flush=True)
    started = time.monotonic()
    status = subprocess.call([sys.executable, *command], cwd=ROOT)
    if status:
        sys.exit(f'this command failed with status {status}: python {" ".join(command)}')
    return time.monotonic() - started


def with_bar(metrics, test_minutes, **bars):
    """Figures of a run, and whether each of `bars` (metric name -> least value) is reached."""
    shown = {name: metrics[name] for name in ('AP', 'AP50', 'easy', 'medium', 'hard', 'mAP') if name in metrics}
    return {**shown, 'bars': bars, 'test_minutes': test_minutes,
            'holds': all(metrics[name] >= bar for name, bar in bars.items())}


def read_metrics(out):
    """The metrics that main_test.py wrote below `out` last."""
    paths = glob.glob(os.path.join(ROOT, out, '*', '*', 'results', '*', '*', '*_metrics.json'))
    path = max(paths, key=os.path.getmtime)
    with open(path) as stream:
        return json.load(stream)


def read_losses(out):
    """Loss name -> (value on the first progress line, value on the last), from the training log below `out`.

    The R-CNN's box loss is left out: it grows at first, because more and more rois become objects.
    """
    log = max(glob.glob(os.path.join(ROOT, out, '*', '*', '*.log')), key=os.path.getmtime)
    with open(log) as stream:
        lines = [dict(re.findall(r'(\w+Loss) ([\d.]+)', line)) for line in stream if ' batch ' in line]
    return {name: (float(lines[0][name]), float(lines[-1][name])) for name in lines[0]}


def minutes(seconds):
    return round(seconds / 60, 1)


if __name__ == '__main__':
    sys.exit(main())
