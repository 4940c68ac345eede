"""Backbone, neck and RPN: a detector's first half, and a network of its own in the proposal-only graphs."""
from symbols.detectors.variants import two_stage_variants
from symbols.heads.rpn import rpn_losses, rpn_proposals
from symbols.layers import he_normal, new_parameters
from symbols.options import AnchorOptions, LossOptions, ProposalOptions, TrunkOptions
from sniper_mxnet import mx


class ProposalNetwork:
    """A network that proposes boxes; the detectors add what becomes of them.

    backbone(data, TrunkOptions) -> {name: Feature}; neck(features, TrunkOptions) -> Feature in float32;
    rpn(feature, AnchorOptions) -> RpnOutputs. rpn_neck: makes the feature that the RPN reads, if it is another one.

    Graphs, each an `mx.sym.Symbol` of a configuration: `train_symbol`, `test_symbol` (of the detectors),
    `proposal_train_symbol`, `proposal_test_symbol`. Test graphs take any batch and any input size.
    """

    def __init__(self, backbone, neck, rpn, rpn_neck=None):
        self.backbone = backbone
        self.neck = neck
        self.rpn = rpn
        self.rpn_neck = rpn_neck

    def features(self, config):
        """(Feature that the RPN reads, Feature that the other heads read), float32, from the input `data`
        (B, 3, H, W)."""
        options = TrunkOptions.from_config(config)
        features = self.backbone(mx.sym.var('data'), options)
        feature = self.neck(features, options)
        return self.rpn_neck(features, options) if self.rpn_neck else feature, feature

    def proposal_train_symbol(self, config):
        """Inputs data, label, bbox_target, bbox_weight; outputs `rpn_cls_prob_output` (B, 2, A*F, F) and
        `rpn_bbox_loss_output` (B, 4A, F, F)."""
        feature, _ = self.features(config)
        outputs = self.rpn(feature, AnchorOptions.from_config(config, feature.stride))
        return mx.sym.Group(list(rpn_losses(outputs, LossOptions.from_config(config))))

    def proposal_test_symbol(self, config):
        """Inputs data, im_info, im_ids; outputs `rois_output` (B*P, 5), `rois_score` (B*P,), `im_ids`."""
        feature, _ = self.features(config)
        anchors = AnchorOptions.from_config(config, feature.stride)
        rois, scores = rpn_proposals(self.rpn(feature, anchors), mx.sym.var('im_info'), anchors,
                                     ProposalOptions.from_config(config, 'TEST'))
        return mx.sym.Group([rois, scores, mx.sym.var('im_ids')])

    def symbol(self, config, variant):
        """Graph by its variant: 'train', 'test', 'proposal_train', 'proposal_test'."""
        return getattr(self, variant + '_symbol')(config)

    def input_shapes(self, config, batch, height, width, variant):
        """{input name: shape} of a variant, data before labels, in the order in which iterators list them."""
        return getattr(self, f'_{variant}_shapes')(config, batch, height, width)

    def variants(self, shapes):
        """What differs in parameters, for files with arrays of these {name: shape}; see symbols.detectors.variants."""
        return two_stage_variants(shapes, masks=hasattr(self, 'mask_symbol'))

    def _proposal_train_shapes(self, config, batch, height, width):
        return dict(data=(batch, 3, height, width), **self._anchor_label_shapes(config, batch, height, width))

    @staticmethod
    def _proposal_test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width), im_info=(batch, 3), im_ids=(batch,))

    @staticmethod
    def _anchor_label_shapes(config, batch, height, width):
        anchors = config.network.NUM_ANCHORS
        rows, columns = feature_cells(config, height, width)
        return dict(label=(batch, anchors * rows * columns), bbox_target=(batch, 4 * anchors, rows, columns),
                    bbox_weight=(batch, 4 * anchors, rows, columns))

    @staticmethod
    def _focus_label_shape(config, batch, height, width):
        """{'scale_label': (B, F*F)}, empty without AutoFocus."""
        rows, columns = feature_cells(config, height, width)
        return dict(scale_label=(batch, rows * columns)) if config.TRAIN.AUTO_FOCUS else {}

    @staticmethod
    def new_parameters(symbol):
        """Names of the arguments that are initialised anew over any pretrained file: heads and deformable offsets.

        Their initialisers sit on the variables.
        """
        return new_parameters(symbol)

    @staticmethod
    def initializer():
        """Initialiser of every array whose variable carries none, for training from scratch."""
        return he_normal()


def feature_cells(config, height, width):
    """(rows, columns) of the feature map of an input (B, 3, height, width): convolutions round up."""
    stride = config.network.RPN_FEAT_STRIDE
    return -(-height // stride), -(-width // stride)
