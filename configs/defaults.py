"""Every configuration key once: default, meaning with unit, and what it may hold.

A file (configs/loader.py) or `--set` may only change keys that stand here. To add a key, add a line:
`'NAME': key(default, 'meaning')`, with a kind of configs/schema.py where the default's type does not say it.

Words: side = square root of width x height of a box; original pixels = those of the image file; chip
pixels = after resizing; a chip is a window of CHIP_SIZE pixels. 'unused' = kept so that old files load.
"""
from configs.schema import (BOOLS, FLOAT, FLOATS, INT_OR_INTS, INTS, PAIRS, PROCESSES, SCALES, TEXTS, TRIPLES,
                           array_of, key)

NETWORK = {
    'pretrained': key('', "prefix of the initial weights' files; '' trains from scratch"),
    'pretrained_epoch': key(0, 'number in the name of the initial weights, PREFIX-0000.params'),
    'KEEP_HEADS': key(False, 'heads start from the initial weights too where these have them; False = always anew'),
    'PIXEL_MEANS': key([0, 0, 0], 'subtracted from pixels, 0 to 255, in the order blue, green, red', array_of(3)),
    'RPN_FEAT_STRIDE': key(16, 'pixels of the network input a cell of the proposal feature map'),
    'FIXED_PARAMS': key(['gamma', 'beta'], 'parameters whose name contains one of these are not trained', TEXTS),
    'ANCHOR_RATIOS': key([0.5, 1, 2], 'anchor shapes, height / width', FLOATS),
    'ANCHOR_SCALES': key([8, 16, 32], 'anchor sizes in feature strides', FLOATS),
    'NUM_ANCHORS': key(9, 'anchors a feature cell; must be ratios x scales'),
    'FIX_BN': key(False, 'batch norms keep the statistics of the initial weights and use them in training too: for a '
                  'head trained on a network that stays as it is'),
    'STRIDE_IN_1X1': key(False,
                         'resnet_v1: the stride of a stage is in its first 1x1 convolution (Gluon), not in the 3x3'),
    'BN_MOMENTUM': key(0.995, 'share of the old moving average that a batch norm keeps; --momentum wins'),
}

DATASET = {
    'dataset': key('PascalVOC', 'name of the data set loader'),
    'image_set': key('2007_trainval', "training sets, joined by '+'"),
    'test_image_set': key('2007_test', 'set that main_test.py runs on'),
    'root_path': key('./data', 'folder of caches'),
    'dataset_path': key('./data/VOCdevkit', 'folder of images and annotations'),
    'NUM_CLASSES': key(21, 'classes with the background; the annotation file, or the weights in demo.py, know better'),
    'proposal': key('rpn', 'where proposals for negative chips come from', choices=('rpn',)),
}

_ALTERNATE = {
    'RPN_BATCH_IMAGES': key(0, 'unused'),
    'RCNN_BATCH_IMAGES': key(0, 'unused'),
}
for _stage in ('rpn1', 'rpn2', 'rpn3', 'rfcn1', 'rfcn2'):
    _ALTERNATE[_stage + '_lr'] = key(0, 'unused', FLOAT)
    _ALTERNATE[_stage + '_lr_step'] = key('', 'unused')
    _ALTERNATE[_stage + '_epoch'] = key(0, 'unused')

TRAIN = {
    # what is trained
    'ONLY_PROPOSAL': key(False, 'train the proposal network alone'),
    'WITH_MASK': key(False, 'train a mask head too'),
    'MAX_MASKS': key(50, 'proposals a chip that masks are trained on, at most and on average over a batch'),
    'MAX_POLYGON_LEN': key(500, "numbers that an object's polygons may have; longer ones are simplified and counted"),
    'AUTO_FOCUS': key(False, 'train the head that predicts where small objects are'),
    'AUTO_FOCUS_SMALL_THRESH': key(-1, 'objects of a side below this, chip pixels, are focus targets; -1 = 64'),
    'AUTO_FOCUS_DC_LOW': key(-1, 'objects of a side up to this, chip pixels, are ignored by focus targets; -1 = 5'),
    'AUTO_FOCUS_DC_HIGH': key(-1, 'objects from SMALL_THRESH up to this side, chip pixels, are ignored too; -1 = 90'),

    # images and chips
    'SCALES': key([3.0, 1.667, 512.0], 'fine to coarse: resize factors and last the long side in pixels; '
                  'or pairs (short side, limit of the long side), -1 = no short side', SCALES),
    'VALID_RANGES': key([(-1, 80), (32, 150), (120, -1)],
                        'a pair a scale: sides, original pixels, that are trained there; -1 = open', PAIRS),
    'CHIP_SIZE': key(512, 'side of a chip, pixels'),
    'CHIP_STRIDES': key([56, 57, 58, 59], 'pixels between candidate chips; one of these is drawn an epoch', INTS),
    'CPP_CHIPS': key(False,
                     'boxes are tested for lying in a chip in single precision, as by C++ chips of the original'),
    'USE_NEG_CHIPS': key(True, 'add chips of background where proposals are; needs proposal files'),
    'NEG_CHIPS_PER_IMAGE': key(2, 'of those, an image and epoch at most; drawn anew every epoch'),
    'NEG_CHIP_MIN_ROWS': key([25, 10], 'such a chip holds more proposals than this: at the finest scale, at the others',
                             INTS),
    'CHIPS_DB_PARTS': key(20, 'unused: memory does not depend on it'),
    'MIN_OBJECT_SIDE': key(10, 'what a chip shows of an object is passed over if a side is shorter, chip pixels'),
    'MAX_GT': key(100, 'objects a chip at most; those beyond are counted and reported'),
    'FLIP': key(True, 'train on mirrored copies too'),
    'FLIP_VERTICAL': key(False, 'train on copies turned upside down too'),
    'COLOR_JITTER': key(0.0, 'largest share by which brightness, contrast and saturation change; 0 = off'),
    'SHUFFLE': key(True, 'unused: always shuffled'),
    'FG_THRESH': key(0.5, 'images with a box that overlaps an object so much (IoU) are trained on'),
    'BG_THRESH_HI': key(0.5, 'images with a box of an overlap in [LO + 0.0001, HI) too'),
    'BG_THRESH_LO': key(0.0, 'see BG_THRESH_HI'),

    # processes
    'NUM_PROCESS': key(64, "worker processes, at most the cores; 'auto' = cores, at most 32, as memory allows; "
                       '0 = none', PROCESSES),
    'NUM_THREAD': key(8, 'unused: workers read their own images'),
    'PREFETCH': key('auto', "batches prepared ahead; 'auto' = as keeps the workers busy and memory allows", PROCESSES),
    'REDUCED_DECODE': key(True, 'decode JPEG files at 1/2, 1/4 or 1/8 of their size for chips of a scale up to that: '
                          'faster, and small scales alias less'),
    'SEED': key(0, 'of chips, order, sampling and new weights'),
    'MAX_BATCHES': key(0, 'batches an epoch at most, for trials; 0 = all'),

    # optimiser and schedule
    'lr': key(0, 'learning rate', FLOAT),
    'lr_step': key('', "epochs, joined by ',', fractions too, after which lr is multiplied by lr_factor"),
    'lr_factor': key(0.1, 'see lr_step'),
    'LR_POLICY': key('step', "'step' as lr_step says; 'cosine' from lr to lr x LR_FINAL at end_epoch",
                     choices=('step', 'cosine')),
    'LR_FINAL': key(0.01, 'last share of lr, for cosine'),
    'LR_SCALING': key('none', "'linear' multiplies lr by chips an update, of all devices and workers, / "
                      "LR_REFERENCE_BATCH; goes with LOSS_MEAN 'update'", choices=('none', 'linear')),
    'LR_REFERENCE_BATCH': key(128, 'chips an update that lr is meant for'),
    'LOSS_MEAN': key('device', "'device': losses are means over the labels of a device's chips, gradients of devices "
                     "and workers are summed, as in the original; 'update': sums over constants and all chips of an "
                     'update, whatever devices and workers share these', choices=('device', 'update')),
    'warmup': key(False, 'raise the learning rate from warmup_lr to lr over warmup_step batches'),
    'warmup_lr': key(0, 'see warmup', FLOAT),
    'warmup_step': key(0, 'see warmup'),
    'momentum': key(0.9, 'of SGD'),
    'wd': key(0.0005, 'weight decay', FLOAT),
    'CLIP_GRADIENT': key(0.0, 'largest absolute gradient of a weight; 0 = no limit', FLOAT),
    'fp16': key(False, 'half precision, on GPUs only'),
    'scale': key(1.0, 'factor on the losses with fp16'),
    'LOSS_SCALING': key('static', "with fp16: 'static' = scale all the time; 'dynamic' = scale at first, halved when "
                        'gradients overflow (that update is left out), doubled after LOSS_SCALE_INTERVAL good ones',
                        choices=('static', 'dynamic')),
    'LOSS_SCALE_INTERVAL': key(2000, 'updates; see LOSS_SCALING'),
    'begin_epoch': key(0, 'shifts lr_step only; --resume finds its epoch itself'),
    'end_epoch': key(0, 'epochs to train'),
    'BATCH_IMAGES': key(2, 'chips a batch and device'),

    # proposal network: labels, sampling, proposals
    'RPN_BATCH_SIZE': key(256, 'anchors a chip in the loss'),
    'RPN_FG_FRACTION': key(0.5, 'largest share of positives among them'),
    'RPN_POSITIVE_OVERLAP': key(0.7, 'anchors of an IoU from this up are positive'),
    'RPN_NEGATIVE_OVERLAP': key(0.3, 'anchors of an IoU below this are negative'),
    'RPN_PRE_NMS_TOP_N': key(12000, 'best proposals that reach NMS; -1 = all'),
    'RPN_POST_NMS_TOP_N': key(2000, 'proposals a chip after NMS'),
    'RPN_NMS_THRESH': key(0.7, 'IoU above which NMS drops a proposal'),
    'RPN_MIN_SIZE': key(16, 'proposals narrower or lower than this, chip pixels, are dropped'),

    # box regression
    'BBOX_MEANS': key([0.0, 0.0, 0.0, 0.0], 'of box targets dx, dy, dw, dh', FLOATS),
    'BBOX_STDS': key([0.1, 0.1, 0.2, 0.2], 'box targets are divided by these', FLOATS),
    'ALIGNED_TARGETS': key(False, 'take out the half pixel by which released weights learnt object centres too far '
                           'right and down; for networks trained anew'),
    'BBOX_LOSS_ROIS': key(188, 'the box loss of R-CNN is divided by this x BBOX_LOSS_IMAGES'),
    'BBOX_LOSS_IMAGES': key(16, "see BBOX_LOSS_ROIS; 0 = BATCH_IMAGES, and so it is with LOSS_MEAN 'update'"),
    'BBOX_REGRESSION_THRESH': key(0.5, 'unused: targets come from the proposal operator'),
    'BBOX_NORMALIZATION_PRECOMPUTED': key(False, 'unused: BBOX_MEANS and BBOX_STDS always hold'),

    # kept for old files
    'END2END': key(False, 'unused'),
    'ENABLE_OHEM': key(False, 'unused'),
    'BATCH_ROIS': key(128, 'unused'),
    'BATCH_ROIS_OHEM': key(128, 'unused'),
    'FG_FRACTION': key(0.25, 'unused'),
    'BBOX_WEIGHTS': key([1.0, 1.0, 1.0, 1.0], 'unused', array_of(4)),
    'RPN_BBOX_WEIGHTS': key([1.0, 1.0, 1.0, 1.0], 'unused', FLOATS),
    'RPN_CLOBBER_POSITIVES': key(False, 'unused'),
    'RPN_POSITIVE_WEIGHT': key(-1.0, 'unused'),
    'CXX_PROPOSAL': key(True, 'unused'),
    'model_prefix': key('', 'unused'),
    'visualization_path': key('debug/visualization', 'unused'),
    'visualization_freq': key(100, 'unused'),
    'ALTERNATE': _ALTERNATE,
}

TEST = {
    # images
    'SCALES': key([(1400, 2000), (800, 1280), (480, 512)],
                  'pairs (short side, limit of the long side), pixels; AutoFocus: coarse to fine', PAIRS),
    'VALID_RANGES': key([(-1, 90), (32, 180), (75, -1)],
                        'a pair a scale: detections of these sides, original pixels, count; -1 = open', PAIRS),
    'BATCH_IMAGES': key([2, 2, 4], 'images a batch and device, one entry a scale; one number for all', INT_OR_INTS),
    'CONCURRENT_JOBS': key(2, 'processes, each with its own copy of the network'),
    'NUM_PROCESS': key('auto', 'worker processes, see TRAIN', PROCESSES),
    'REDUCED_DECODE': key(False, 'see TRAIN; False = the pixels that released weights were tested with'),
    'TEST_EPOCH': key(7, 'number of the checkpoint to load'),
    'SHIPPED_MODEL': key('', "prefix of weights, PREFIX-0000.params, to test with while there is no checkpoint; "
                         "'' = none"),

    # precision and fusion, see docs/precision.md
    'PRECISION': key('fp32', 'of products at inference on CPUs', choices=('fp32', 'bf16', 'int8')),
    'FOLD': key(False, 'batch norms are folded into convolutions at the start, and on CPUs wide 3x3 convolutions run '
                'by Winograd; bf16 and int8 always fold, and run no Winograd'),
    'OPTIMIZED': key('', "prefix of a network written by scripts/optimize_model.py, to test with in place of a "
                     "checkpoint; '' = none"),
    'CALIBRATION_IMAGES': key('', "folder of images that int8 takes its ranges from; '' = of the training set"),
    'CALIBRATION_COUNT': key(32, 'of those, at most'),

    # proposals
    'RPN_PRE_NMS_TOP_N': key(6000, 'best proposals that reach NMS; -1 = all'),
    'RPN_POST_NMS_TOP_N': key(300, 'proposals an image after NMS'),
    'RPN_NMS_THRESH': key(0.7, 'IoU above which NMS drops a proposal'),
    'RPN_MIN_SIZE': key(16, 'proposals narrower or lower than this, input pixels, are dropped'),
    'EXTRACT_PROPOSALS': key(False, 'write proposals instead of detections'),
    'PROPOSAL_SAVE_PATH': key('output/proposals', 'folder of those'),
    'N_PROPOSAL_PER_SCALE': key(300, 'proposals an image and scale that are written'),

    # detections
    'SCORE_THRESH': key(0.001, 'detections of a lower score are dropped'),
    'NMS': key(0.3, 'IoU of hard NMS when positive; otherwise soft-NMS'),
    'NMS_SIGMA': key(0.6, 'of the Gaussian of soft-NMS', FLOAT),
    'NMS_METHOD': key('', "'' = hard where NMS > 0, else gaussian; or one of the three",
                      choices=('', 'hard', 'linear', 'gaussian')),
    'MAX_PER_IMAGE': key(200, 'detections an image at most; 0 or less = no limit'),
    'VIS_THRESH': key(0.5, 'detections of a lower score are not drawn'),
    'VISUALIZATION_PATH': key('./debug/visualization', 'folder of pictures'),
    'VISUALIZE_INTERMEDIATE_SCALES': key(False, "draw every scale's detections too"),
    'USE_CACHE': key([False, False, False], "a scale each: read an earlier run's detections", BOOLS),

    # masks
    'WITH_MASK': key(False, 'give every detection a mask'),

    # AutoFocus
    'AUTO_FOCUS': key(False, 'the network also says where small objects are'),
    'DO_PRUNING': key([False, False, False], 'a scale each: run on focus chips, drop detections at their borders',
                      BOOLS),
    'PRUNING_BORDER': key(10.0, 'of those, detections that end so close, original pixels, to a side inside the image',
                          FLOAT),
    'CHIP_SHAPES': key(32, 'input shapes that the chips of a scale are batched into at most: more mean less padding, '
                       'but more set-up and memory'),
    'CHIP_HYPERPARAMS': key([(-1, -1, -1), (-1, -1, -1), (-1, -1, -1)], 'entry i makes the chips of scale i + 1: '
                            'dilation in cells, threshold, smallest chip side in cells', TRIPLES),

    # kept for old files
    'PROPOSAL_NMS_THRESH': key(0.7, 'unused'),
    'PROPOSAL_PRE_NMS_TOP_N': key(20000, 'unused'),
    'PROPOSAL_POST_NMS_TOP_N': key(2000, 'unused'),
    'PROPOSAL_MIN_SIZE': key(16, 'unused'),
    'HAS_RPN': key(False, 'unused'),
    'CXX_PROPOSAL': key(True, 'unused'),
    'TEST_FLAG': key(False, 'unused'),
    'max_per_image': key(300, 'unused: see MAX_PER_IMAGE'),
    'test_epoch': key(0, 'unused: see TEST_EPOCH'),
}

DEFAULT = {
    'kvstore': key('device', "where gradients are summed: 'local' on the CPU, 'device' and 'nccl' on the devices; "
                   "'dist_*' on the servers of scripts/launch.py, after each worker did so on its CPU or its devices",
                   choices=('local', 'device', 'nccl', 'dist_sync', 'dist_device_sync', 'dist_async')),
    'gradient_compression': key('none', "'2bit' sends 2 bits a gradient: -, 0 or + compression_threshold; what that "
                                'leaves out is added to the next', choices=('none', '2bit')),
    'compression_threshold': key(0.5, 'see gradient_compression', FLOAT),
    'worker_timeout': key(1800, 'seconds that a worker waits for the others before it gives up', FLOAT),
}

KEYS = {
    'MXNET_VERSION': key('', 'unused'),
    'output_path': key('', 'folder of checkpoints and results'),
    'proposal_path': key('data/proposals', 'folder of proposal files for negative chips'),
    'symbol': key('', 'name of the network, see symbols/'),
    'gpus': key('', "'0,1' = these GPUs; '' or 'cpu' = CPU, 'cpu,cpu' = as two devices; 'auto' = all GPUs there are, "
                'else CPU'),
    'CLASS_AGNOSTIC': key(True, 'Fast R-CNN networks: one box a proposal, not one a class; the others always have one'),
    'default': DEFAULT,
    'network': NETWORK,
    'dataset': DATASET,
    'TRAIN': TRAIN,
    'TEST': TEST,
}
