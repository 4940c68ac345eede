"""Reads damaged files, each kind with the function that the program reads it with, in a process that may take little.

    python -m tests.mutated_readers FOLDER     FOLDER/<kind>/<name>; a JSON line a file: [kind, name, what came of it]

Alone in a process, so that a file that ends it ends no test run; `begun` stands before each, so that it has a name.
"""
import contextlib
import json
import logging
import os
import resource
import shutil
import signal
import sys
import time
import traceback

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.image_sets import find_image_sets
from lib.dataset.imagenet.devkit import read_list
from lib.dataset.imagenet.listing import list_set
from lib.dataset.imagenet.result_files import read_rows
from lib.dataset.imagenet.super_classes import read_super_classes
from lib.dataset.proposals import read_original, read_proposals
from lib.dataset.roidb_cache import WORTHWHILE, RoidbCache
from lib.dataset.wider.lists import read_lists
from lib.dataset.wider.scoring import score
from lib.dataset.wider.text_files import read_folder
from lib.distributed.launch.plan import read_hostfile
from lib.engine.exported_model import check_settings, read_configuration, read_facts
from lib.fewshot.classifier import FewShotClassifier
from lib.image.file import ImageFile
from lib.inference.weights import find_weights
from lib.train.resume import where_to_go_on
from lib.utils.archive import unpack
from lib.utils.errors import SniperError
from lib.utils.restricted_pickle import read_plain_pickle
from lib.weights import checkpoint
from lib.weights.conversion.caffe_file import read_caffe
from lib.weights.conversion.formats import read_weights
from lib.weights.inspect import inspect
from lib.weights.newest import find_newest
from lib.weights.params_file import read_arrays
from scripts.download import read_catalogue
from tests.dataset.imagenet import made_up

with contextlib.suppress(ImportError):
    import onnx  # noqa: F401  their code is no memory that a file takes
    import safetensors  # noqa: F401

SECONDS, BYTES = 6, 2 << 30
CONFIG = 'configs/faster/sniper_tiny_e2e.yml'


def roidb_cache(work):
    """RoidbCache of an annotation file that is large enough to have one."""
    annotations = os.path.join(work, 'annotations.json')
    if not os.path.exists(annotations):
        with open(annotations, 'w') as stream:
            stream.write(' ' * (WORTHWHILE + 1))
    return RoidbCache(str(work), 'x', annotations)


class Readers:
    """One method a kind of file. work: a folder for what a reader needs beside the file."""

    def __init__(self, work):
        self.work = work
        self.config = load_config(CONFIG, ['output_path', work, 'TEST.TEST_EPOCH', '1'])

    def weights(self, path):
        read_weights(path)

    def caffe(self, path):
        read_caffe(path)

    def params(self, path):
        read_arrays(path)
        list(inspect(path))

    def pickle(self, path):
        read_plain_pickle(path)

    def original_proposals(self, path):
        read_original(path, [1, 2])

    def proposals(self, path):
        read_proposals(path)

    def classifier(self, path):
        FewShotClassifier.load(path)

    def roidb(self, path):
        """A cache; it never stops a run, but is made anew."""
        cache = roidb_cache(self.work)
        os.makedirs(os.path.dirname(cache.path), exist_ok=True)
        shutil.copy(path, cache.path)
        if cache.load():
            list(cache.roidb)

    def image(self, path):
        for reduction in (1, 4):
            ImageFile(path, 40, 30).decode(reduction)

    def coco(self, path):
        folder = self._coco(path)
        for masks in (False, True):
            list(get_dataset('coco', 'val', self.work, folder, masks=masks).roidb('objects'))

    def coco_scores(self, path):
        dataset = get_dataset('coco', 'val', self.work, self._coco(path))
        records = dataset.roidb()
        rows = [[1, 1, 20, 20, 0.9, 1]] * len(records)
        dataset.evaluate(Detections.from_rows(list(range(len(records))), rows), os.path.join(self.work, 'results'))

    def voc(self, path):
        folder = os.path.join(self.work, 'voc')
        shutil.copy(path, os.path.join(folder, 'Annotations', 'a.xml'))
        dataset = get_dataset('PascalVOC', 'all', self.work, folder)
        list(dataset.roidb('objects'))

    def voc_list(self, path):
        folder = os.path.join(self.work, 'voc_list')
        shutil.copy(path, os.path.join(folder, 'ImageSets', 'Main', 'train.txt'))
        get_dataset('PascalVOC', 'train', self.work, folder).roidb()

    def voc_classes(self, path):
        folder = os.path.join(self.work, 'voc_classes')
        shutil.copy(path, os.path.join(folder, 'classes.txt'))
        get_dataset('PascalVOC', 'all', self.work, folder).roidb()

    def yolo_yaml(self, path):
        self._format(path, 'yolo_yaml', 'yolo', 'data.yaml')

    def yolo(self, path):
        self._format(path, 'yolo', 'yolo', 'val/labels/a.txt')

    def labelme(self, path):
        self._format(path, 'labelme', 'labelme', 'val/a.json')

    def cvat(self, path):
        self._format(path, 'cvat', 'cvat', 'annotations.xml')

    def csv(self, path):
        self._format(path, 'csv', 'csv', 'val/_annotations.csv')

    def wider(self, path):
        self._format(path, 'wider', 'wider', 'wider_face_split/wider_face_val_bbx_gt.txt')

    def wider_lists(self, path):
        folder = os.path.join(self.work, 'wider_lists')
        shutil.copy(path, os.path.join(folder, 'wider_hard_val.mat'))
        read_lists(folder)

    def wider_detections(self, path):
        folder = os.path.join(self.work, 'wider_scored')
        shutil.copy(path, os.path.join(folder, '0--Parade', 'a.txt'))
        score(read_lists(folder), read_folder(folder, ['0--Parade/a']).found)

    def imagenet_clusters(self, path):
        folder = os.path.join(self.work, 'imagenet')
        shutil.copy(path, os.path.join(folder, made_up.DEVKIT, 'data', '3kcls_cluster_result1.txt'))
        list(get_dataset('imagenet', 'fall11_whole', self.work, folder).roidb())

    def imagenet_list(self, path):
        list_set(os.path.join(self.work, 'imagenet', 'fall11_whole'), '', read_list(path), path)

    def super_classes(self, path):
        read_super_classes(path, ['cat', 'dog', 'emu'])

    def det_detections(self, path):
        read_rows(path)

    def roboflow(self, path):
        self._format(path, 'roboflow', 'coco', 'val/_annotations.coco.json')

    def label_studio(self, path):
        self._format(path, 'label_studio', 'coco', 'val.json')

    def yaml(self, path):
        load_config(path)

    def overrides(self, path):
        """A file of words as after --set."""
        with open(path, encoding='utf-8', errors='surrogateescape') as stream:
            load_config(CONFIG, stream.read().split('\n'))

    def hosts(self, path):
        read_hostfile(path)

    def catalogue(self, path):
        read_catalogue(path)

    def side(self, path):
        """What a checkpoint says of itself: for a test, and for going on."""
        prefix = os.path.join(self.work, 'SNIPER')
        shutil.copy(path, prefix + '-0001.json')
        find_weights(self.config, self.work, 'SNIPER')
        checkpoint.load_for_test(prefix, 1)
        found, _ = find_newest(prefix)
        for batch_size in (8, 4):
            where_to_go_on(found.sidecar if found else {}, self.config, batch_size)

    def exported(self, path):
        prefix = os.path.join(self.work, 'exported')
        shutil.copy(path, prefix + '-0000.json')
        load_config(None, read_configuration(prefix))
        check_settings(prefix, read_facts(prefix), self.config)

    def archive(self, path):
        unpack(path, os.path.join(self.work, 'unpacked'))

    def _format(self, path, kind, name, place):
        """A file of a folder of one picture; which format and which sets are there is looked at too."""
        folder = os.path.join(self.work, 'formats', kind)
        shutil.copy(path, os.path.join(folder, place))
        with contextlib.suppress(SniperError):
            find_image_sets(folder)
        masks = kind in ('yolo', 'labelme', 'cvat')     # these good files have outlines
        list(get_dataset(name, 'val', self.work, folder, masks=masks).roidb('objects'))

    def _coco(self, path):
        folder = os.path.join(self.work, 'coco')
        os.makedirs(os.path.join(folder, 'annotations'), exist_ok=True)
        shutil.copy(path, os.path.join(folder, 'annotations', 'instances_val.json'))
        return folder


def main():
    folder = sys.argv[1]
    logging.basicConfig(stream=open(os.devnull, 'w'))
    work = os.path.join(folder, 'work')
    readers = Readers(work)
    taken = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + BYTES,) * 2)
    for kind in sorted(set(os.listdir(folder)) - {'work'}):
        for name in sorted(os.listdir(os.path.join(folder, kind))):
            print(json.dumps([kind, name, 'begun', '']), flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)   # of work, whatever else the machine does: more ends all
            started = time.process_time()
            outcome = 'read', ''
            try:
                getattr(readers, kind)(os.path.join(folder, kind, name))
            except SniperError as error:
                outcome = 'refused', str(error)
            except Exception:
                outcome = 'traceback', traceback.format_exc()[-1500:]
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(json.dumps([kind, name, *outcome, round(time.process_time() - started, 2)]), flush=True)


if __name__ == '__main__':
    main()
