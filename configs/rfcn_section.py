"""The section RFCN, of R-FCN-3K: its keys, in the form of configs/defaults.py."""
from configs.schema import PATH, key

RFCN = {
    'num_super_classes': key(1, 'super-classes, which R-FCN-3K tells objects apart by before it says which class they '
                             'are; 1 = objects and background', 'graph detections schedule', low=1, high=10000),
    'super_classes': key('', 'file that says which classes each super-class has, JSON or as in the ImageNet devkit; '
                         'needed by training with several', 'schedule', PATH),
    'fine_rois': key(50, 'proposals a chip that classes are trained on, at most and on average over a batch',
                     'graph schedule', low=1, high=100000),
    'fine_loss_rois': key(200, 'the loss of classes is divided by this x TRAIN.BBOX_LOSS_IMAGES', 'graph schedule',
                          low=1),
    'least_object': key(0.01, 'proposals that are objects with no more than this probability are left out of a test',
                        'detections', low=0, high=1),
}
