"""SSH, single stage headless face detection (Najibi et al. 2017): three detection modules, each on a feature map of its
own stride and for faces of its own sizes.

`ssh_vgg16` is the published network, with its layers' names and 19,768,420 parameters (reference/other_detectors.md,
part C). `ssh_res50` has SNIPER's deformable ResNet in place of VGG-16, of which the original left a sketch that cannot
run. `ssh_tiny` is for CPUs and random weights.

Letters: B images, A anchors a cell, h x w cells.
"""
from configs.ssh_keys import MODULES, modules_of
from lib.utils.errors import SniperError
from sniper_mxnet import mx
from symbols.backbones.resnet import EPS, ResNet
from symbols.backbones.tiny import TinyNet
from symbols.backbones.vgg import VGG16
from symbols.detector import Detector
from symbols.feature import Feature, feature_output
from symbols.heads.focus import FOCUS_LAYERS, FocusHead, focus_loss, focus_probabilities
from symbols.heads.ssh import DetectionModule, module_losses, module_probabilities
from symbols.layers import batch_norm, gaussian, he_normal, relu, to_single
from symbols.necks.fusion import Fusion
from symbols.necks.top_down import TopDown
from symbols.options import AnchorOptions, LossOptions, MiningOptions, TrunkOptions, class_count
from symbols.variants import AUTO_FOCUS, CLASSES, Variant

PIXEL_DEVIATION = 60.0      # about that of pixels without their means
TRUNK_BIAS = dict(bias_rate=2.0, bias_decay=1.0)    # biases outside the modules decay too, as in the original


class Ssh(Detector):
    """features(data, TrunkOptions) -> the three modules' Features in float32, finest first. channels: X of each module.
    hidden_init: makes the initialiser of the modules' hidden layers. focus: FocusHead, on the finest feature, in the
    graphs with TRAIN.AUTO_FOCUS and TEST.AUTO_FOCUS. backbone: what public ImageNet weights can be converted for, None
    if lib.weights.conversion has its own way for this detector."""

    parts = {**{f'module {name}': (f'{name}@*',) for name in MODULES}, 'FocusPixels': FOCUS_LAYERS}

    def __init__(self, features, channels, hidden_init=gaussian, focus=FocusHead(), backbone=None):
        self.features = features
        self.channels = channels
        self.hidden_init = hidden_init
        self.focus = focus
        self.backbone = backbone

    def train_symbol(self, config):
        """Inputs data (B, 3, S, S), im_info (B, 3); gt_boxes (B, G, 5), [AutoFocus: scale_label (B, h*w)].

        Outputs of each module see module_losses; [AutoFocus: `cls_scale_prob_output`].
        """
        outputs, features = [], self._features(config)
        gt_boxes, im_info = mx.sym.var('gt_boxes'), mx.sym.var('im_info')
        for number, (module, feature) in enumerate(zip(self._modules(config), features)):
            outputs += module_losses(module(feature), gt_boxes, im_info, _anchors(config, number, feature.stride),
                                     MiningOptions.from_config(config, number),
                                     LossOptions.from_config(config, feature.stride))
        if config.TRAIN.AUTO_FOCUS:
            outputs.append(focus_loss(self.focus(features[0]), LossOptions.from_config(config, features[0].stride)))
        return mx.sym.Group(outputs)

    def test_symbol(self, config):
        """Input data (B, 3, H, W). Outputs of each module of SSH.modules see module_probabilities; [AutoFocus:
        `scale_prob_output` (B, 2, h, w)]."""
        return mx.sym.Group(self._test_outputs(config)[0])

    def feature_symbol(self, config):
        """`test_symbol` with the second module's feature, which has the backbone's last stage, as
        `feature_map_output` behind its outputs."""
        outputs, features = self._test_outputs(config)
        return mx.sym.Group([*outputs, feature_output(features[1])])

    def _test_outputs(self, config):
        """([outputs of the test graph], the modules' Features)."""
        features, used = self._features(config), modules_of(config)
        outputs = [output for number, module in enumerate(self._modules(config)) if number in used
                   for output in module_probabilities(module(features[number]))]
        if config.TEST.AUTO_FOCUS:
            outputs.append(focus_probabilities(self.focus(features[0])))
        return outputs, features

    def variants(self, shapes):
        """With FocusPixels and without."""
        heads = ('one class',) if f'{MODULES[0]}@ssh_cls_score_weight' in shapes else ()
        return [Variant(name, keys=((CLASSES, 2), *switches), heads=heads)
                for name, switches in (('whole', ()), ('whole_autofocus', ((AUTO_FOCUS, True),)))]

    @staticmethod
    def _test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width))

    def _features(self, config):
        classes = class_count(config) - 1
        if classes != 1:
            raise SniperError(f'{config.symbol} finds one class, and there are {classes}: choose one, or join several, '
                              "by dataset.CLASSES, such as --set dataset.CLASSES \"['face = man + woman']\", or take "
                              "all as one by dataset.CLASS_AGNOSTIC True")
        return self.features(mx.sym.var('data'), TrunkOptions.from_config(config))

    def _modules(self, config):
        return [DetectionModule(name, channels, len(config.SSH.anchor_scales[number]), self.hidden_init)
                for number, (name, channels) in enumerate(zip(MODULES, self.channels))]


def _anchors(config, module, stride):
    return AnchorOptions(stride, tuple(config.SSH.anchor_scales[module]), (1.0,))


def build(backbone):
    """The detector on 'vgg16', 'res50' or 'tiny'."""
    return {'vgg16': _vgg16, 'res50': _res50, 'tiny': _tiny}[backbone]()


def _vgg16():
    return Ssh(vgg16_features, (128, 256, 256))


def vgg16_features(data, options):
    """conv4_3 with conv5_3 merged in, conv5_3, and its 2x2 max pooling: strides 8, 16, 32."""
    features = VGG16(first_gain=1 / PIXEL_DEVIATION, **TRUNK_BIAS)(data, options)
    fine = Fusion('conv4_3', 'conv5_3', 128, ('conv5_128', 'conv5_128_up', 'conv4_128', 'conv4_fuse_final'), gaussian,
                  TRUNK_BIAS)(features, options)
    middle = features['conv5_3']
    middle = middle._replace(symbol=to_single(middle.symbol, options.half_precision))
    return [fine, middle, _pooled(middle, 'pool6')]


def _res50():
    return Ssh(res50_features, (256, 256, 256), backbone=ResNet(50))


def res50_features(data, options):
    """Stage 2 with stage 3 merged in, stage 4, which keeps stage 3's stride, and its pooling: strides 8, 16, 32.

    Stages are raw sums, so each gets a BatchNorm and ReLU, as the network would have behind it; its arrays are new,
    since files of a backbone have none of them.
    """
    stages = ResNet(50)(data, options)
    active = {name: stages[name]._replace(symbol=_norm_relu(stages[name].symbol, f'ssh_{name}', options))
              for name in ('stage2', 'stage3', 'stage4')}
    fine = Fusion('stage2', 'stage3', 256, ('conv_res4_reduced', 'up_res4', 'conv_res3_reduced', 'conv_fusion'),
                  gaussian, TRUNK_BIAS)(active, options)
    middle = active['stage4']
    middle = middle._replace(symbol=to_single(middle.symbol, options.half_precision))
    return [fine, middle, _pooled(middle, 'pool6')]


def _norm_relu(data, name, options):
    return relu(batch_norm(data, f'{name}_bn', EPS, options.bn_momentum, new=True), f'{name}_relu')


def _tiny():
    return Ssh(tiny_features, (64, 64, 64), he_normal, FocusHead(48, he_normal))


def tiny_features(data, options):
    """Stages 2 to 4 merged, and stages 3 and 4: strides 8, 16, 32."""
    stages = TinyNet()(data, options)
    fine = TopDown(('stage2', 'stage3', 'stage4'), channels=96)(stages, options)
    return [fine] + [stages[name]._replace(symbol=to_single(stages[name].symbol, options.half_precision))
                     for name in ('stage3', 'stage4')]


def _pooled(feature, name):
    """2x2 max pooling that rounds up."""
    body = mx.sym.Pooling(data=feature.symbol, kernel=(2, 2), stride=(2, 2), pool_type='max',
                          pooling_convention='full', name=name)
    return Feature(body, 2 * feature.stride, feature.channels)
