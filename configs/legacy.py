"""Keys that need not be set: they exist so that configuration files of the original and of earlier versions load.

Nothing reads the unused ones; their values are checked and kept like any other's, and `--set` of one of them warns that
it has no effect. The derived ones follow from others; a value that contradicts these is an error of the family's check
(lib.tasks).
"""
from configs.schema import FLOAT, FLOATS, NOTHING, UNUSED, array_of, key


def _unused(default, instead='', kind=None):
    """A key that nothing reads; instead: what says it now."""
    return key(default, f'{UNUSED}: {instead}' if instead else UNUSED, NOTHING, kind)


def _derived(meaning):
    """A whole number that configs/derived.py works out unless it is given, and not 0."""
    return key(0, f'follows by itself: {meaning}', NOTHING)


_ALTERNATE = {
    'RPN_BATCH_IMAGES': _unused(0),
    'RCNN_BATCH_IMAGES': _unused(0),
}
for _stage in ('rpn1', 'rpn2', 'rpn3', 'rfcn1', 'rfcn2'):
    _ALTERNATE[_stage + '_lr'] = _unused(0, kind=FLOAT)
    _ALTERNATE[_stage + '_lr_step'] = _unused('')
    _ALTERNATE[_stage + '_epoch'] = _unused(0)

LEGACY = {
    'MXNET_VERSION': _unused(''),
    'USE_3KCLS': _unused(False, 'the network says it'),
    'NUM_SUB_CLASSES': _unused(0, 'see RFCN.num_super_classes'),
    'network': {
        'NUM_ANCHORS': _derived('anchors a feature cell, ANCHOR_RATIOS x ANCHOR_SCALES'),
        'RPN_FEAT_STRIDE': _derived("pixels of the network input a cell of the feature map, the network's own"),
    },
    'TRAIN': {
        'CHIPS_DB_PARTS': _unused(20, 'memory does not depend on it'),
        'SHUFFLE': _unused(True, 'always shuffled'),
        'NUM_THREAD': _unused(8, 'workers read their own images'),
        'BBOX_REGRESSION_THRESH': _unused(0.5, 'targets come from the proposal operator'),
        'BBOX_NORMALIZATION_PRECOMPUTED': _unused(False, 'BBOX_MEANS and BBOX_STDS always hold'),
        'END2END': _unused(False),
        'ENABLE_OHEM': _unused(False),
        'BATCH_ROIS': _unused(128),
        'BATCH_ROIS_OHEM': _unused(128),
        'FG_FRACTION': _unused(0.25),
        'BBOX_WEIGHTS': _unused([1.0, 1.0, 1.0, 1.0], kind=array_of(4)),
        'RPN_BBOX_WEIGHTS': _unused([1.0, 1.0, 1.0, 1.0], kind=FLOATS),
        'RPN_CLOBBER_POSITIVES': _unused(False),
        'RPN_POSITIVE_WEIGHT': _unused(-1.0),
        'CXX_PROPOSAL': _unused(True),
        'model_prefix': _unused(''),
        'visualization_path': _unused('debug/visualization'),
        'visualization_freq': _unused(100),
        'ALTERNATE': _ALTERNATE,
    },
    'TEST': {
        'PROPOSAL_NMS_THRESH': _unused(0.7),
        'PROPOSAL_PRE_NMS_TOP_N': _unused(20000),
        'PROPOSAL_POST_NMS_TOP_N': _unused(2000),
        'PROPOSAL_MIN_SIZE': _unused(16),
        'HAS_RPN': _unused(False),
        'CXX_PROPOSAL': _unused(True),
        'TEST_FLAG': _unused(False),
        'max_per_image': _unused(300, 'see MAX_PER_IMAGE'),
        'test_epoch': _unused(0, 'see TEST_EPOCH'),
    },
}
