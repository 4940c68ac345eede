"""Every live configuration key once: default, meaning with unit, what it affects, and what it may hold.

Sections of one family alone stand in files of their own, configs/<family>_section.py. A file (configs/loader.py) or
`--set` may only change keys that stand here or there, or in configs/legacy.py. To add a key, add a line:
`'NAME': key(default, 'meaning', 'affects')`, with words of configs/schema.py for what it affects, and a kind from there
where the default's type does not say it.

Words: side = square root of width x height of a box; original pixels = those of the image file; chip
pixels = after resizing; a chip is a window of CHIP_SIZE pixels.
"""
from configs.m2det_section import M2DET
from configs.rfcn_section import RFCN
from configs.scales import TEST_SCALES, TRAIN_SCALES
from configs.schema import (
                            BATCHES,
                            BOOL_OR_HOW,
                            BOOLS,
                            CHECKPOINT,
                            FLOAT,
                            FLOATS,
                            INT_OR_INTS,
                            INTS,
                            NOTHING,
                            NUMBER_OR_NUMBERS,
                            PAIRS,
                            PATH,
                            PATHS,
                            PROCESSES,
                            TEXTS,
                            TRIPLES,
                            array_of,
                            key,
                            one_of,
                            word,
)
from configs.ssh_section import SSH

NETWORK = {
    'pretrained': key('', "initial weights: a shipped model's name (sniper_tiny), the prefix of their files, or a "
                      ".params file; '' trains from scratch", 'graph schedule machine', PATH),
    'pretrained_epoch': key(0, 'number in the name of the initial weights, PREFIX-0000.params; or as TEST.TEST_EPOCH',
                            'schedule', CHECKPOINT, low=0),
    'KEEP_HEADS': key('auto', "heads start from the initial weights too: 'by_name' = but for outputs of classes and "
                      "anchors that these do not have; 'auto' = so, where a side file names their classes, else anew; "
                      'True = with all their classes, and no others; False = always anew', 'schedule', BOOL_OR_HOW),
    'PIXEL_MEANS': key([0, 0, 0], 'subtracted from pixels, 0 to 255, in the order blue, green, red',
                       'pixels detections proposals schedule', array_of(3)),
    'FIXED_PARAMS': key(['gamma', 'beta'], 'parameters whose name contains one of these are not trained', 'schedule',
                        TEXTS),
    'ANCHOR_RATIOS': key([0.5, 1, 2], 'anchor shapes, height / width', 'graph detections proposals schedule', FLOATS,
                         above=0),
    'ANCHOR_SCALES': key([8, 16, 32], 'anchor sizes in feature strides', 'graph detections proposals schedule',
                         FLOATS, above=0),
    'FIX_BN': key(False, 'batch norms keep the statistics of `pretrained` and use them in training too: for a head '
                  'trained on a network that stays as it is. Nothing from scratch', 'graph schedule'),
    'RPN_CHANNELS': key(0, "channels of the 3x3 convolution of the RPN; 0 = the network's own number",
                        'graph detections proposals schedule', low=0, high=65536),
    'ROIS': key('proposals', "what the R-CNN looks at: 'proposals' = the network's own; 'input' = rois that somebody "
                'feeds to the graphs, which the programs do not; resnext_mx_101 only', 'graph detections schedule',
                choices=('proposals', 'input')),
    'STRIDE_IN_1X1': key(False, 'resnet_v1: the stride of a stage is in its first 1x1 convolution (Gluon), not in '
                         'the 3x3', 'graph detections proposals schedule'),
    'BN_MOMENTUM': key(0.995, 'share of the old moving average that a batch norm keeps; --momentum wins',
                       'graph schedule'),
}

DATASET = {
    'dataset': key('PascalVOC', 'format of the data: coco, PascalVOC, yolo, labelme, cvat, csv, wider, deepv, '
                   'synthetic; auto looks', 'schedule'),
    'image_set': key('2007_trainval', "training sets, joined by '+'; of several folders, an entry each, joined by ','",
                     'schedule'),
    'test_image_set': key('2007_test', 'set that main_test.py runs on; of several folders as image_set', NOTHING),
    'root_path': key('./data', 'folder of caches', 'machine', PATH),
    'dataset_path': key('./data/VOCdevkit', "folder of images and annotations; several, whose classes are joined by "
                        "name: a list, or a text with '+' between", 'machine', PATHS),
    'test_dataset_path': key('', "of test_image_set, where that lies elsewhere; '' = dataset_path", 'machine', PATHS),
    'NUM_CLASSES': key(21, 'classes with the background; the annotation file, or the weights in demo.py, know better',
                       'graph detections schedule', low=0, high=100000),
    'CLASSES': key([], "classes to use, in this order: 'cat', 'feline = cat' or 'vehicle = car + truck'; [] for all",
                   'schedule', TEXTS),
    'CLASS_AGNOSTIC': key(False, "every class is one, 'object', in training and tests; CLASSES then only chooses what "
                          "is an object. (CLASS_AGNOSTIC above is about boxes)", 'schedule'),
    'WIDER_LISTS': key('', "folder of wider_{easy,medium,hard}_<set>.mat, which score detections on WIDER FACE; '' "
                       'looks in dataset_path, and in eval, wider_face_split, eval_tools/ground_truth there', NOTHING,
                       PATH),
    'proposal': key('rpn', 'where proposals for negative chips come from', 'schedule', choices=('rpn',)),
}

TRAIN = {
    # what is trained
    'ONLY_PROPOSAL': key(False, 'train the proposal network alone', 'graph schedule'),
    'WITH_MASK': key(False, 'train a mask head too', 'graph schedule'),
    'MAX_MASKS': key(50, 'proposals a chip that masks are trained on, at most and on average over a batch',
                     'graph schedule', low=1, high=100000),
    'MAX_POLYGON_LEN': key(500, "numbers that an object's polygons may have; longer ones are simplified and counted",
                           'graph schedule', low=0, high=1000000),
    'AUTO_FOCUS': key(False, 'train the head that predicts where small objects are', 'graph schedule'),
    'AUTO_FOCUS_SMALL_THRESH': key(-1, 'objects of a side below this, chip pixels, are focus targets; -1 = 64',
                                   'schedule', low=-1),
    'AUTO_FOCUS_DC_LOW': key(-1, 'objects of a side up to this, chip pixels, are ignored by focus targets; -1 = 5',
                             'schedule', low=-1),
    'AUTO_FOCUS_DC_HIGH': key(-1, 'objects from SMALL_THRESH up to this side, chip pixels, are ignored too; -1 = 90',
                              'schedule', low=-1),

    # images and chips
    'SCALES': key([3.0, 1.667, 512.0], 'fine to coarse: factors, 2x; pixels of the long side, 256px; or pairs '
                  '(short side, limit of the long side), -1 = no short side. Numbers are factors, the last one pixels',
                  'schedule', TRAIN_SCALES, per_scale=True),
    'VALID_RANGES': key([(-1, 80), (32, 150), (120, -1)], 'a pair a scale: sides, original pixels, that are trained '
                        'there; -1 = open', 'schedule', PAIRS, per_scale=True),
    'VALID_RANGES_IN': key('image', "'image': VALID_RANGES and CHIP_RANGES are sides in original pixels; 'chip': "
                           'shares of CHIP_SIZE, of sides as the scale shows them, both ends between 0 and 1',
                           'schedule', choices=('image', 'chip')),
    'SCALE_WEIGHTS': key([], 'how often chips of each scale come in an epoch: 2 = twice, 0.5 = a half of them, drawn '
                         'anew every epoch; [] = all once', 'schedule', FLOATS, above=0, high=100),
    'SAMPLER': key('chips', "what an epoch is made of: 'chips' around objects, whole 'images', or random 'crops', "
                   'resized to CHIP_SIZE; VALID_RANGES hold for chips only', 'schedule',
                   choices=('chips', 'images', 'crops')),
    'CHIP_SIZE': key(512, 'side of a chip, pixels', 'graph schedule', low=1, high=16384),
    'CHIP_STRIDES': key([56, 57, 58, 59], 'pixels between candidate chips; one of these is drawn an epoch', 'schedule',
                        INTS),
    'CHIP_RANGES': key([], 'a pair a scale: sides, original pixels, of objects that chips are made for, where these '
                       'are others than VALID_RANGES, which the network is trained by; [] = the same', 'schedule',
                       PAIRS),
    'CHIP_LONGEST_SIDE': key(0.0, 'objects with a side from this on, original pixels, have their chips at the coarsest '
                             'scale, whatever their range; 0 = no such side', 'schedule', low=0),
    'CHIP_SHARE': key(0.0, 'an object belongs to every chip of a scale that shows more than this share of it, if that '
                      'is in the range, whose ends then hold at all scales; 0 = to the chip that shows most of it',
                      'schedule', low=0, high=0.99),
    'VALID_OVERLAP': key(1.0, 'what a chip shows of an object is trained if it overlaps (IoU) so much what it shows of '
                         'one that belongs to it; else nothing is learnt there', 'schedule', above=0, high=1),
    'CPP_CHIPS': key(False, 'boxes are tested for lying in a chip in single precision, as by C++ chips of the '
                     'original', 'schedule'),
    'USE_NEG_CHIPS': key(True, 'add chips of background where proposals are; needs proposal files', 'schedule'),
    'NEG_CHIPS_PER_IMAGE': key(2, 'of those, an image and epoch at most; drawn anew every epoch', 'schedule', low=0),
    'NEG_CHIP_MIN_ROWS': key([25, 10], 'such a chip holds more proposals than this: at the finest scale, at the '
                             'others', 'schedule', INTS, low=0),
    'MIN_OBJECT_SIDE': key(10, 'what a chip shows of an object is passed over if a side is shorter, chip pixels',
                           'schedule', low=1),
    'MAX_GT': key(100, 'objects a chip at most; those beyond are counted and reported', 'graph schedule',
                  low=1, high=100000),
    'MAX_GROUPS': key(10, 'boxes around groups of objects a chip, for networks that have an input for them; those '
                      'beyond are regions of which nothing is learnt', 'graph schedule', low=1, high=100000),
    'FLIP': key(True, 'train on mirrored copies too', 'schedule'),
    'FLIP_VERTICAL': key(False, 'train on copies turned upside down too', 'schedule'),
    'COLOR_JITTER': key(0.0, 'largest share by which brightness, contrast and saturation change; 0 = off',
                        'schedule', low=0, high=1),
    'IGNORED_OBJECTS': key('ignore', "what training makes of objects that do not count in a test, crowd regions of "
                           "COCO, groups of Open Images, difficult ones of PASCAL VOC: 'ignore' = nothing is learnt "
                           "there; 'background', as in the original; 'objects' as others. What is labelled 'ignore' "
                           "is always ignored",
                           'schedule', choices=('ignore', 'background', 'objects')),
    'BACKGROUND_IMAGES': key(0.1, "images without objects as background: below 1, the share of an epoch's windows that "
                             "they make at most; from 1 on, windows an epoch; 'all' = every one; 0 = none",
                             'schedule', one_of(FLOAT, word('all')), low=0),
    'WHOLE_PIXELS': key(True, 'corners of objects are truncated to whole pixels', 'schedule'),
    'FG_THRESH': key(0.5, 'images with a box that overlaps an object so much (IoU) are trained on', 'schedule',
                     low=0, high=1),
    'BG_THRESH_HI': key(0.5, 'images with a box of an overlap in [LO + 0.0001, HI) too', 'schedule', low=0, high=1),
    'BG_THRESH_LO': key(0.0, 'see BG_THRESH_HI', 'schedule', low=0, high=1),

    # processes
    'NUM_PROCESS': key(64, "worker processes, at most the cores; 'auto' = cores, at most 32, as memory allows; 0 = "
                       "none", 'machine', PROCESSES, low=0),
    'PREFETCH': key('auto', "batches prepared ahead; 'auto' = as keeps the workers busy and memory allows", 'machine',
                    PROCESSES, low=1),
    'REDUCED_DECODE': key(True, 'decode JPEG files at 1/2, 1/4 or 1/8 of their size for chips of a scale up to that: '
                          'faster, and small scales alias less', 'schedule'),
    'SEED': key(0, 'of chips, order, sampling and new weights', 'schedule', low=0),
    'MAX_BATCHES': key(0, 'batches an epoch at most, for trials; 0 = all', 'schedule', low=0),

    # optimiser and schedule
    'lr': key(0, 'learning rate', 'schedule', FLOAT, low=0),
    'lr_step': key('', "epochs, joined by ',', fractions too, after which lr is multiplied by lr_factor", 'schedule'),
    'lr_step_iterations': key([], 'with end_iteration, in place of lr_step: iterations after which lr is multiplied by '
                              'lr_factor, ascending', 'schedule', INTS, low=1),
    'lr_every': key(0, 'in place of both: lr is multiplied by lr_factor after every so many iterations, from the first '
                    'to the last, however training ends; 0 = not', 'schedule', low=0),
    'lr_factor': key(0.1, 'see lr_step; a list has one factor for each of its epochs, or iterations', 'schedule',
                     NUMBER_OR_NUMBERS, low=0),
    'LR_POLICY': key('step', "'step' as lr_step says; 'cosine' from lr to lr x LR_FINAL at the end", 'schedule',
                     choices=('step', 'cosine')),
    'LR_FINAL': key(0.01, 'last share of lr, for cosine', 'schedule', low=0, high=1),
    'LR_SCALING': key('none', "'linear' multiplies lr by chips an update, of all devices and workers, / "
                      "LR_REFERENCE_BATCH; goes with LOSS_MEAN 'update'", 'schedule', choices=('none', 'linear')),
    'LR_REFERENCE_BATCH': key(128, 'chips an update that lr is meant for', 'schedule', low=1),
    'LOSS_MEAN': key('device', "'device': losses are means over the labels of a device's chips, gradients of devices "
                     "and workers are summed, as in the original; 'update': sums over constants and all chips of an "
                     "update, whatever devices and workers share these", 'graph schedule',
                     choices=('device', 'update')),
    'warmup': key(False, 'raise the learning rate from warmup_lr to lr over warmup_step batches', 'schedule'),
    'warmup_lr': key(0, 'see warmup', 'schedule', FLOAT, low=0),
    'warmup_step': key(0, 'see warmup', 'schedule', low=0),
    'WARMUP_EPOCHS': key(0.0, 'where above 0: warmup lasts so many epochs, whatever warmup_step says', 'schedule',
                         low=0),
    'WARMUP_FROM_LR': key(False, 'the first update of warmup has warmup_lr itself; False = it is one step above',
                          'schedule'),
    'OPTIMIZER': key('sgd', "'sgd' = with momentum, as in the originals; 'adam' = steps that do not grow with the "
                     'gradients: small networks learn from random weights in fewer updates, at rates of about 0.002',
                     'schedule', choices=('sgd', 'adam')),
    'momentum': key(0.9, 'of SGD, or of the mean of gradients with Adam', 'schedule', low=0, high=1),
    'wd': key(0.0005, 'weight decay', 'schedule', FLOAT, low=0),
    'WD_ON': key('weights', "what wd holds for: 'weights' = parameters that are called *_weight or *_gamma; "
                 "'convolutions' = weights of layers, no biases and nothing of batch norms; 'all' parameters",
                 'schedule', choices=('weights', 'convolutions', 'all')),
    'CLIP_GRADIENT': key(0.0, 'largest absolute gradient of a weight; 0 = no limit', 'schedule', FLOAT, low=0),
    'CLIP_NORM': key(0.0, 'largest norm of all gradients of a device together, before those of other devices are '
                     'added; longer ones are shortened; 0 = no limit', 'schedule', FLOAT, low=0),
    'fp16': key(False, 'half precision, on GPUs only', 'graph detections proposals schedule'),
    'scale': key(1.0, 'factor on the losses with fp16', 'graph schedule', above=0),
    'LOSS_SCALING': key('static', "with fp16: 'static' = scale all the time; 'dynamic' = scale at first, halved when "
                        "gradients overflow (that update is left out), doubled after LOSS_SCALE_INTERVAL good ones",
                        'graph schedule', choices=('static', 'dynamic')),
    'LOSS_SCALE_INTERVAL': key(2000, 'updates; see LOSS_SCALING', 'schedule', low=1),
    'begin_epoch': key(0, 'shifts lr_step only; --resume finds its epoch itself', 'schedule', low=0),
    'end_epoch': key(0, 'epochs to train; 0 with end_iteration', 'schedule', low=0),
    'end_iteration': key(0, 'where above 0, training ends after so many iterations since it began, within an epoch '
                         'too; an iteration is one update of the weights, by a batch of all devices and workers',
                         'schedule', low=0),
    'SNAPSHOT_ITERATIONS': key(0, 'iterations between checkpoints, which are called iter1000, iter2000 and so on and '
                               'all stay; 0 = a checkpoint after every epoch in place of these', NOTHING, low=0),
    'BATCH_IMAGES': key(2, 'chips a batch and device', 'graph schedule', low=1),
    'ACCUMULATE': key(1, 'batches of BATCH_IMAGES that a device sees one after the other for an update, as if it were '
                      'so many devices: large updates in little memory', 'schedule', low=1, high=10000),

    # watching a training, see docs/training.md
    'VALIDATE_EVERY': key(0, "batches between validations on dataset.test_image_set, which keep the best weights; "
                          "'epoch' = one after every epoch; 0 = none", NOTHING, BATCHES, low=0),
    'VALIDATE_IMAGES': key(100, 'pictures of that set that are looked at, always the same; 0 = all', NOTHING, low=0),
    'VALIDATE_METRIC': key('', "by which weights are better: a name in the metrics of a test, AP50, segm.AP; '' = AP, "
                           'or AP50 where there is none (PASCAL VOC), hard (WIDER FACE), mAP (Open Images, ImageNet)',
                           NOTHING),
    'PATIENCE': key(0, 'validations without a better one, after which training stops; 0 = it does not', NOTHING, low=0),
    'EMA': key(0.0, 'decay an update of averaged weights, 0.999 for example, which are saved beside the trained ones '
               'and validated in their place; 0 = none', NOTHING, low=0, high=0.999999),
    'VISUALIZE_VALID_GT': key(0, 'chips of the first epoch that are drawn before training, raw and with all, valid and '
                              'invalid objects, into the folder `chips` of the output; 0 = none', NOTHING, low=0),
    'TENSORBOARD': key(False, 'write event files for TensorBoard too; needs tensorboardX', NOTHING),

    # proposal network: labels, sampling, proposals
    'RPN_BATCH_SIZE': key(256, 'anchors a chip in the loss', 'graph schedule', low=1),
    'RPN_FG_FRACTION': key(0.5, 'largest share of positives among them', 'schedule', low=0, high=1),
    'RPN_POSITIVE_OVERLAP': key(0.7, 'anchors of an IoU from this up are positive', 'schedule', low=0, high=1),
    'RPN_NEGATIVE_OVERLAP': key(0.3, 'anchors of an IoU below this are negative', 'schedule', low=0, high=1),
    'RPN_PRE_NMS_TOP_N': key(12000, 'best proposals that reach NMS; -1 = all', 'graph schedule'),
    'RPN_POST_NMS_TOP_N': key(2000, 'proposals a chip after NMS', 'graph schedule', low=1, high=1000000),
    'RPN_NMS_THRESH': key(0.7, 'IoU above which NMS drops a proposal', 'graph schedule', low=0, high=1),
    'RPN_MIN_SIZE': key(16, 'proposals narrower or lower than this, chip pixels, are dropped', 'graph schedule', low=0),

    # class losses where many objects are not marked
    'SOFT_SAMPLING': key(False, 'R-CNN: background counts the less in the class loss, the farther it is from all '
                         'objects: for data in which many objects are not marked', 'graph schedule'),
    'SOFT_SAMPLING_A': key(0.25, 'the weight is A + (1 - A) exp(-B exp(-C o)) at an overlap o (IoU) with the nearest '
                           'object, 1 from 0.5 on', 'graph schedule', low=0, high=1),
    'SOFT_SAMPLING_B': key(50.0, 'see SOFT_SAMPLING_A', 'graph schedule', low=0),
    'SOFT_SAMPLING_C': key(20.0, 'see SOFT_SAMPLING_A', 'graph schedule', low=0),
    'SOFT_SAMPLING_RPN': key(False, 'the same weight for anchors in the loss of the RPN', 'graph schedule'),

    # box regression
    'BBOX_MEANS': key([0.0, 0.0, 0.0, 0.0], 'of box targets dx, dy, dw, dh', 'schedule', FLOATS),
    'BBOX_STDS': key([0.1, 0.1, 0.2, 0.2], 'box targets are divided by these', 'graph schedule', FLOATS, above=0),
    'ALIGNED_TARGETS': key(False, 'take out the half pixel by which released weights learnt object centres too far '
                           'right and down; for networks trained anew', 'graph schedule'),
    'BBOX_LOSS_ROIS': key(188, 'the box loss of R-CNN is divided by this x BBOX_LOSS_IMAGES', 'graph schedule', low=1),
    'BBOX_LOSS_IMAGES': key(16, "see BBOX_LOSS_ROIS; 0 = BATCH_IMAGES, and so it is with LOSS_MEAN 'update'",
                            'graph schedule', low=0),
}

TEST = {
    # images
    'SCALES': key([(1400, 2000), (800, 1280), (480, 512)], 'as TRAIN.SCALES, but all numbers are factors; '
                  "AutoFocus: coarse to fine; networks of one square input take 'input', and other sides such as 320px",
                  'pixels detections proposals', TEST_SCALES, per_scale=True),
    'VALID_RANGES': key([(-1, 90), (32, 180), (75, -1)], 'a pair a scale: detections of these sides, original '
                        'pixels, count; -1 = open; one is enough where all are', 'detections pyramid', PAIRS,
                        per_scale=True),
    'FLIP': key(False, 'look at every image mirrored too, at each scale', 'detections'),
    'BATCH_IMAGES': key([2, 2, 4], 'images a batch and device, one entry a scale; one number for all',
                        'graph detections proposals', INT_OR_INTS, per_scale=True, low=1, high=4096),
    'CONCURRENT_JOBS': key(2, 'processes, each with its own copy of the network', 'machine', low=1, high=1024),
    'NUM_PROCESS': key('auto', 'worker processes, see TRAIN', 'machine', PROCESSES, low=0),
    'REDUCED_DECODE': key(False, 'see TRAIN; False = the pixels that released weights were tested with',
                          'pixels detections proposals'),
    'TEST_EPOCH': key(7, "number of the checkpoint to load; 'last' = the one that was trained furthest, as is a number "
                      'that was not --set where TRAIN.end_iteration is; iter1000 = see TRAIN.SNAPSHOT_ITERATIONS; '
                      "'best' = that of the best validation; 7-ema = the averaged weights beside number 7 (TRAIN.EMA)",
                      NOTHING, CHECKPOINT, low=0),
    'SHIPPED_MODEL': key('', "prefix of weights, PREFIX-0000.params, to test with, as a warning says, where nothing is "
                         "trained and no TEST_EPOCH was set; files that name this one as _base_ do not inherit it; '' "
                         "= none", 'machine', PATH),

    # precision and fusion, see docs/precision.md
    'PRECISION': key('fp32', 'of products at inference on CPUs', 'detections proposals',
                     choices=('fp32', 'bf16', 'int8')),
    'FOLD': key(False, 'batch norms are folded into convolutions at the start, and on CPUs wide 3x3 convolutions run '
                'by Winograd; bf16 and int8 always fold, and run no Winograd', 'detections proposals'),
    'OPTIMIZED': key('', "prefix of a network written by scripts/optimize_model.py, to test with in place of a "
                     "checkpoint; '' = none", 'machine', PATH),
    'CALIBRATION_IMAGES': key('', "folder of images that int8 takes its ranges from; '' = of the training set",
                              'machine', PATH),
    'CALIBRATION_COUNT': key(32, 'of those, at most', 'detections proposals', low=1),

    # engines, see docs/engines.md
    'ENGINE': key('', "what runs the network: mxnet; onnxruntime and openvino run a file of scripts/export_onnx.py; '' "
                  '= mxnet, but onnxruntime where ONNX names a file', 'machine',
                  choices=('', 'mxnet', 'onnxruntime', 'openvino')),
    'ONNX': key('', "that file; '' = the one beside the checkpoint, of its name with .onnx", 'machine', PATH),

    # proposals
    'RPN_PRE_NMS_TOP_N': key(6000, 'best proposals that reach NMS; -1 = all', 'graph detections proposals'),
    'RPN_POST_NMS_TOP_N': key(300, 'proposals an image after NMS', 'graph detections proposals', low=1, high=1000000),
    'RPN_NMS_THRESH': key(0.7, 'IoU above which NMS drops a proposal', 'graph detections proposals', low=0, high=1),
    'RPN_MIN_SIZE': key(16, 'proposals narrower or lower than this, input pixels, are dropped',
                        'graph detections proposals', low=0),
    'ONLY_PROPOSAL': key(False, "test and show proposals, as detections of one class 'object'; networks that only "
                         'propose always do', 'graph detections'),
    'EXTRACT_PROPOSALS': key(False, 'write proposals instead of detections', NOTHING),
    'PROPOSAL_SAVE_PATH': key('output/proposals', 'folder of those', 'machine', PATH),
    'N_PROPOSAL_PER_SCALE': key(300, 'proposals an image and scale that are written', 'proposals', low=1),
    'PROPOSAL_MIN_SCORE': key(0.0, 'only proposals of a higher score are written', 'proposals', low=0, high=1),
    'PROPOSAL_NMS_SIGMA': key(0.0, 'of the Gaussian of a soft-NMS of the proposals of an image and scale, before they '
                              'are written; 0 = none', 'proposals', low=0),

    # detections
    'SCORE_THRESH': key(0.001, 'detections of a lower score are dropped', 'detections', high=1),
    'NMS': key(0.3, 'IoU of hard NMS when positive; otherwise soft-NMS', 'detections pyramid', high=1),
    'NMS_SIGMA': key(0.6, 'of the Gaussian of soft-NMS', 'detections pyramid', FLOAT),
    'NMS_METHOD': key('', "'' = hard where NMS > 0, else gaussian; or one of the three", 'detections pyramid',
                      choices=('', 'hard', 'linear', 'gaussian')),
    'NMS_SCORE_THRESH': key(-1.0, 'soft-NMS drops a detection that overlaps a better one and falls below this score; '
                            'below 0 = SCORE_THRESH', 'detections pyramid', high=1),
    'MAX_PER_CLASS': key(0, 'detections of a class an image at most; 0 = no limit', 'detections pyramid', low=0),
    'MAX_PER_IMAGE': key(200, 'detections an image at most; 0 or less = no limit', 'detections pyramid'),
    'MAX_PER_WINDOW': key(0, 'detections of a whole image, or of a chip, that go on to suppression, the best; 0 = all. '
                          'For thousands of classes, whose detections fill the memory', 'detections', low=0),
    'VIS_THRESH': key(0.5, 'detections of a lower score are not drawn', NOTHING, low=0, high=1),
    'VISUALIZATION_PATH': key('./debug/visualization', 'folder of pictures; as it is here, `pictures` '
                              'beside the results', 'machine', PATH),
    'VISUALIZE_INTERMEDIATE_SCALES': key(False, "draw every scale's detections too", NOTHING),
    'USE_CACHE': key([False, False, False], "a scale each: read an earlier run's detections", NOTHING, BOOLS,
                     per_scale=True),

    # masks
    'WITH_MASK': key(False, 'give every detection a mask', 'graph detections'),

    # slices
    'SLICES': key([0, 0, 0], 'a scale each: run on overlapping squares of so many input pixels; 0 = on whole images',
                  'detections', INTS, per_scale=True, low=0, high=8192),
    'SLICE_OVERLAP': key(0.2, 'share of its side that a slice has in common with the next', 'detections', low=0,
                         high=0.9),

    # AutoFocus
    'AUTO_FOCUS': key(False, 'the network also says where small objects are', 'graph detections'),
    'DO_PRUNING': key([False, False, False], 'a scale each: run on focus chips, drop detections at their borders',
                      'detections', BOOLS, per_scale=True),
    'PRUNING_BORDER': key(10.0, 'of those, detections that end so close, original pixels, to a side inside the image',
                          'detections', FLOAT, low=0),
    'CHIP_SHAPES': key(32, 'input shapes that the chips of a scale are batched into at most: more mean less padding, '
                       'but more set-up and memory', 'detections', low=1),
    'CHIP_HYPERPARAMS': key([(-1, -1, -1), (-1, -1, -1), (-1, -1, -1)], 'entry i makes the chips of scale i + 1: '
                            'dilation in cells, threshold, smallest chip side in cells', 'detections pyramid', TRIPLES,
                            per_scale=True),
}

DEFAULT = {
    'kvstore': key('device', "where gradients are summed: 'local' on the CPU, 'device' and 'nccl' on the devices; "
                   "'dist_*' on the servers of scripts/launch.py, after each worker did so on its CPU or its devices",
                   'schedule', choices=('local', 'device', 'nccl', 'dist_sync', 'dist_device_sync', 'dist_async')),
    'gradient_compression': key('none', "'2bit' sends 2 bits a gradient: -, 0 or + compression_threshold; what that "
                                "leaves out is added to the next", 'schedule', choices=('none', '2bit')),
    'compression_threshold': key(0.5, 'see gradient_compression', 'schedule', FLOAT, above=0),
    'worker_timeout': key(1800, 'seconds that a worker waits for the others before it gives up', 'machine', FLOAT,
                          above=0),
}

KEYS = {
    'output_path': key('', "folder of checkpoints and, below them, results; '' = ./output", 'machine', PATH),
    'proposal_path': key('data/proposals', 'folder of proposal files for negative chips', 'machine', PATH),
    'symbol': key('', 'name of the network, see symbols/', 'graph detections proposals schedule'),
    'gpus': key('', "'0,1' = these GPUs; '' or 'cpu' = CPU, 'cpu,cpu' = as two devices; 'auto' = all GPUs there are, "
                "else CPU", 'machine'),
    'CLASS_AGNOSTIC': key(True, "with network.ROIS 'input': one box a roi, not one a class; otherwise it is always "
                          'one', 'graph detections schedule'),
    'default': DEFAULT,
    'network': NETWORK,
    'M2DET': M2DET,
    'SSH': SSH,
    'RFCN': RFCN,
    'dataset': DATASET,
    'TRAIN': TRAIN,
    'TEST': TEST,
}
