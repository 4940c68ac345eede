"""The section SSH: its keys, in the form of configs/defaults.py. configs/ssh_keys.py has what follows from them."""
from configs.schema import FLOATS, INTS, PAIRS, key

SSH = {
    'anchor_base': key(16, 'pixels of an anchor of scale 1, in all modules', 'graph detections schedule', low=1,
                       high=4096),
    'anchor_scales': key([(1, 2), (4, 8), (16, 32)], 'two square anchors a cell of each module, finest first, in '
                         'units of anchor_base', 'graph detections schedule', PAIRS),
    'allowed_border': key([0, 0, 512], 'how far anchors of each module may reach out of a training picture, pixels',
                          'graph schedule', FLOATS, low=0),
    'hard_mining': key(True, 'training looks at the anchors that the network gets wrong; False = at any', 'graph '
                       'schedule'),
    'force_best': key(False, 'the anchors that overlap a face most are positive too, however little they do', 'graph '
                      'schedule'),
    'modules': key([1, 2, 3], 'detection modules that a test looks at, 1 = the finest', 'graph detections', INTS),
    'left_out': key([3], 'those that the largest of several TEST.SCALES leaves out', 'detections', INTS),
    'order': key('BGR', "planes of the input; 'RGB' for backbones that were trained so", 'pixels detections schedule',
                 choices=('BGR', 'RGB')),
    'wide_boxes': key(True, "boxes come out one pixel wider and higher than was learnt, as the original's do; False = "
                      'as learnt, for networks trained anew', 'detections'),
}
