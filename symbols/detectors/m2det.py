"""`m2det`: single-shot detection on a multi-level pyramid (Zhao et al. 2019, "M2Det").

Parameters are named as in the files of the original, `unet1.layers.0.conv.weight`, and the input is blue, green, red,
minus means, as there. What the file repeats for a shared layer, `leach.1` to `leach.7`, is here once, as `leach.0`; the
classifier of a ResNet, which no output depends on, is not here at all (`unused_parameters`).

Source: reference/m2det.md.

Letters: B images, S input side, P priors, C classes with background.
"""
import functools

from configs.derived import loss_factor
from configs.m2det_keys import PRIORS_A_CELL, VGG_BACKBONES, Pyramid, check_m2det
from sniper_mxnet import mx
from symbols.backbones.residual import FORMS, ResidualNet
from symbols.backbones.vgg import VGG16
from symbols.detector import Detector
from symbols.detectors.m2det_variants import variants_of
from symbols.feature import Feature, feature_output
from symbols.heads.ssd import SsdHead, multibox_losses, ssd_scores
from symbols.layers import to_single
from symbols.necks.mlfpn import DEEP, SHALLOW, MlfpnOptions, base_feature, mlfpn
from symbols.options import TrunkOptions, class_count

BASE = 'base'                           # what the backbone is called
BACKBONE_MOMENTUM, MLFPN_MOMENTUM = 0.9, 0.99
RESIDUAL_STRIDES = (1, 2, 1, 2)         # stages 2 and 4 have strides 8 and 16
PORT_DEVIATION = 0.001
PRIOR_DEVIATION = 0.01


class M2Det(Detector):
    """Graphs of the section M2DET of a configuration. They are made for one input size, `M2DET.input_size`."""

    parts = {'MLFPN': ('reduce.*', 'up_reduce.*', 'leach.*', 'unet*', 'level*', 'source*', 'sfam_module.*'),
             'heads': ('loc*', 'conf*')}

    def outputs(self, config):
        """SsdOutputs (B, P, 4) and (B, P, C) logits of the input `data` (B, 3, S, S). ConfigError: keys of M2DET that
        do not fit."""
        return self._with_base(config)[0]

    def _with_base(self, config):
        """(SsdOutputs, the base Feature of the pyramid, stride 8, in float32)."""
        check_m2det(config)
        trunk, width = trunk_options(config), config.M2DET.width
        shallow, deep = backbone_features(config.M2DET.backbone, width, trunk)
        options = mlfpn_options(config, trunk)
        base = base_feature(shallow.symbol, deep.symbol, options)
        features = mlfpn(base, shallow.stride, options)
        single = Feature(to_single(base, options.half_precision), shallow.stride,
                         round(SHALLOW * width) + round(DEEP * width))
        return _head(config)(features, class_count(config)), single

    def train_symbol(self, config):
        """Inputs data; cls_target (B, P), loc_target (B, P, 4). Outputs `conf_loss_output` (1,), `loc_loss_output`
        (1,), `used_output` (B, P), see multibox_losses."""
        keys = config.M2DET
        constant = keys.loss_positives * config.TRAIN.BATCH_IMAGES if config.TRAIN.LOSS_MEAN == 'update' else None
        return mx.sym.Group(multibox_losses(self.outputs(config), float(keys.neg_pos), loss_factor(config.TRAIN),
                                            constant))

    def test_symbol(self, config):
        """Input data. Outputs `loc_output` (B, P, 4) offsets, `conf_output` (B, P, C) scores."""
        return mx.sym.Group(_scores_and_boxes(self.outputs(config)))

    def feature_symbol(self, config):
        """`test_symbol` with the base feature, in which two stages of the backbone are merged, as `feature_map_output`
        behind its outputs."""
        outputs, base = self._with_base(config)
        return mx.sym.Group([*_scores_and_boxes(outputs), feature_output(base)])

    def export_symbol(self, config):
        """The test phase as the original and its port have it: `test_symbol` with the scores of all images in one
        table, `conf_output` (B*P, C)."""
        outputs = self.outputs(config)
        rows = mx.sym.Reshape(ssd_scores(outputs, 'conf_by_image'), shape=(-3, 0), name='conf')
        return mx.sym.Group([mx.sym.identity(outputs.loc, name='loc'), rows])

    @staticmethod
    def _test_shapes(config, batch, height, width):
        size = Pyramid.from_config(config).size    # whatever size is asked for
        return dict(data=(batch, 3, size, size))

    def variants(self, shapes):
        """The one that arrays of these names and shapes are of."""
        return variants_of(shapes)


def _scores_and_boxes(outputs):
    return [mx.sym.identity(outputs.loc, name='loc'), ssd_scores(outputs)]


def build():
    """The detector; its backbone is a key."""
    return M2Det()


def trunk_options(config):
    """TrunkOptions of M2Det's backbones: BatchNorms of their own momentum, none of which keeps its statistics early."""
    options = TrunkOptions.from_config(config)
    return options._replace(bn_momentum=None if options.bn_momentum is None else BACKBONE_MOMENTUM)


def backbone_features(name, width, options):
    """Features of strides 8 and 16, on the input `data`, of a backbone of configs.m2det_keys.BACKBONES."""
    data = mx.sym.var('data')
    if name in VGG_BACKBONES:
        features = VGG16(True, (3,), width, BASE, norm=name == 'vgg16_bn')(data, options)
        return features['conv4_3'], features['fc7']
    features = ResidualNet(name, RESIDUAL_STRIDES, BASE + '.')(data, options)
    return features['stage2'], features['stage4']


def unused_parameters(backbone):
    """{name: shape} of the trained arrays that the original counts and no output depends on."""
    unused = FORMS[backbone].unused() if backbone in FORMS else {}
    return {f'{BASE}.{name}': shape for name, shape in unused.items()}


def mlfpn_options(config, trunk):
    """MlfpnOptions of a configuration and its TrunkOptions."""
    keys, fixed = config.M2DET, trunk.bn_momentum is None
    return MlfpnOptions(planes=keys.planes, levels=keys.num_levels, sides=Pyramid.from_config(config).sides,
                        smooth=keys.smooth, sfam=keys.sfam, width=keys.width,
                        momentum=None if fixed else MLFPN_MOMENTUM, norm_momentum=None if fixed else BACKBONE_MOMENTUM,
                        init=_neck_init(config), half_precision=trunk.half_precision)


def _neck_init(config):
    if config.M2DET.init == 'port':
        return functools.partial(mx.init.Normal, PORT_DEVIATION)
    return functools.partial(mx.init.Xavier, rnd_type='gaussian', factor_type='out', magnitude=2.0)


def _head(config):
    """The authors' heads escape their own initialiser, by their names, and have PyTorch's.

    With 'prior' they say the share of the background among the priors that are learnt from, as all that is known (Lin
    et al. 2017, "Focal loss", section 4.1): a training need not unlearn confident nonsense first.
    """
    keys = config.M2DET
    if keys.init == 'prior':
        return SsdHead(PRIORS_A_CELL, lambda fan_in: mx.init.Normal(PRIOR_DEVIATION), keys.neg_pos / (1 + keys.neg_pos))
    if keys.init == 'port':
        return SsdHead(PRIORS_A_CELL, lambda fan_in: mx.init.Normal(PORT_DEVIATION))
    return SsdHead(PRIORS_A_CELL, lambda fan_in: mx.init.Uniform(fan_in ** -0.5))
