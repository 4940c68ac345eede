"""Data sets: annotation files -> roidb, and detections -> metrics.

    dataset = get_dataset('coco', 'val2017', './data', './data/coco')
    dataset.classes, dataset.roidb(), dataset.evaluate(detections, results_dir)

`load_training_roidb(config)` and `load_test_dataset(config)` do what the two command lines need; `wider_ap` is WIDER
FACE's average precision of arrays, `imagenet_det_ap` that of ILSVRC DET, `openimages_ap` that of Open Images.

    base.py, registry.py       the interface of a data set; the list of those there are
    coco*.py, pascal_voc.py, voc_*.py, synthetic/   one format each: annotation files, result files, scores
    formats/                                        those of labelling tools, and which a folder is in
    imagenet/                                       a folder a class, thousands of classes, ILSVRC DET
    openimages/, openimages_eval.py                 hundreds of classes in a hierarchy; its evaluation as a command
    wider/, wider_eval.py                           the evaluation of WIDER FACE; as a command
    class_list.py, class_names.py, box_units.py     lists of classes, which name is which, what boxes can mean
    roidb.py, columns.py, compact.py                the record of an image, declared once; many in little room
    truth.py, analysis/                             objects as flat arrays, detections against them
    metrics_file.py                                 metrics as a file; tables of many classes
    loading.py, roidb_cache.py, proposals.py        what training and testing ask for
    image_sets.py                                   which format and which sets a folder holds
    check.py, picture_check.py, object_check.py, picture_hash.py    python -m lib.dataset.check: what is odd

"""
from lib.dataset.imagenet.scoring import imagenet_det_ap
from lib.dataset.loading import load_test_dataset, load_training_roidb
from lib.dataset.openimages.scoring import openimages_ap
from lib.dataset.registry import DATASETS, get_dataset
from lib.dataset.wider.scoring import wider_ap

__all__ = ['DATASETS', 'get_dataset', 'imagenet_det_ap', 'load_test_dataset', 'load_training_roidb',
           'openimages_ap', 'wider_ap']
