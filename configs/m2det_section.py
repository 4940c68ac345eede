"""The section M2DET: its keys, in the form of configs/defaults.py. configs/m2det_keys.py has what follows from them."""
from configs.m2det_keys import BACKBONES
from configs.schema import FLOAT, FLOATS, key

M2DET = {
    'backbone': key('vgg16', 'of M2Det; vgg16 is the one with reduced fully connected layers, vgg16_bn has BatchNorm '
                    'too, to learn from random weights', 'graph detections schedule', choices=BACKBONES),
    'width': key(1.0, 'factor on the channels of vgg16(_bn) and of the base feature behind it, for small networks',
                 'graph detections schedule', FLOAT, above=0, high=4),
    'input_size': key(512, "side of the network's input, pixels; 320, 512, 704, 800 were published, other multiples of "
                      '16 follow the same rule', 'graph pixels detections schedule', low=32, high=8192),
    'planes': key(256, "channels of a level's maps", 'graph detections schedule', low=2, high=4096),
    'num_levels': key(8, 'U-shaped modules in a row', 'graph detections schedule', low=1, high=64),
    'num_scales': key(6, 'maps of each', 'graph detections schedule', low=2, high=10),
    'smooth': key(True, 'a 1x1 convolution behind each sum of a module', 'graph detections schedule'),
    'sfam': key(False, "attention over each scale's channels", 'graph detections schedule'),
    'step_pattern': key([], 'pixels a cell of each map, finest first; [] = the published ones, else input_size / side '
                        'of the map', 'detections schedule', FLOATS, above=0),
    'size_pattern': key([], 'sizes of priors, shares of the input, one a map and one more; [] = the published ones of '
                        'the nearest input_size', 'detections schedule', FLOATS, above=0),
    'variance': key([0.1, 0.2], 'units of box offsets: of centres in sides of the prior, of sides in logarithms',
                    'detections schedule', FLOATS, above=0),
    'augment': key(True, 'training pictures are cropped, distorted in colour, put on larger canvases and mirrored at '
                   'random, as in SSD', 'schedule'),
    'expand': key(0.6, 'chance of a larger canvas among these', 'schedule', low=0, high=1),
    'overlap_thresh': key(0.5, 'priors that overlap an object so much (IoU) are of it', 'schedule', FLOAT, above=0,
                          high=1),
    'neg_pos': key(3, 'background priors of an image in the class loss, a positive one', 'graph schedule', FLOAT,
                   low=0, high=1000000),
    'loss_positives': key(25.0, "with TRAIN.LOSS_MEAN 'update': losses are divided by this x BATCH_IMAGES, not by the "
                          'positive priors of a batch', 'graph schedule', FLOAT, above=0),
    'init': key('original', "first values of all but the backbone: 'original' = the authors', by fan-out, heads "
                "uniform; 'port' = Gaussian of deviation 0.001; 'prior' = 'original', but the heads say at first what "
                'share of all is background', 'schedule', choices=('original', 'port', 'prior')),
}
