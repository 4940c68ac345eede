"""Backbone, neck and RPN: a detector's first half, and a network of its own in the proposal-only graphs."""
from typing import Any, Mapping, NamedTuple, Sequence

from sniper_mxnet import mx
from symbols.detector import Detector
from symbols.feature import feature_output
from symbols.heads.rpn import RpnOutputs, rpn_losses, rpn_proposals
from symbols.options import AnchorOptions, LossOptions, ProposalOptions, TrunkOptions
from symbols.variants import two_stage_variants


class TrainedRpn(NamedTuple):
    """What a training graph has of its RPN; cls_prob and bbox_loss are outputs of the graph, see rpn_losses."""
    losses: LossOptions
    anchors: AnchorOptions
    outputs: RpnOutputs
    cls_prob: Any
    bbox_loss: Any


class ProposalNetwork(Detector):
    """A network that proposes boxes; the detectors add what becomes of them.

    backbone(data, TrunkOptions) -> {name: Feature}; neck(features, TrunkOptions) -> Feature in float32;
    rpn(feature, AnchorOptions, channels) -> RpnOutputs. rpn_neck: makes the feature that the RPN reads, if it is
    another one.

    Graphs, each an `mx.sym.Symbol` of a configuration: `train_symbol`, `test_symbol` (of the detectors),
    `proposal_train_symbol`, `proposal_test_symbol`. Test graphs take any batch and any input size.
    """

    parts: Mapping[str, Sequence[str]] = {'RPN': ('rpn_*', 'rois')}

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

    def rpn_outputs(self, config, feature):
        """(AnchorOptions, RpnOutputs) of the RPN on `feature`."""
        anchors = AnchorOptions.from_config(config, feature.stride)
        return anchors, self.rpn(feature, anchors, config.network.RPN_CHANNELS)

    def trained_rpn(self, config, feature):
        """The RPN on `feature` with its losses, as training graphs begin: TrainedRpn."""
        losses = LossOptions.from_config(config, feature.stride)
        anchors, outputs = self.rpn_outputs(config, feature)
        return TrainedRpn(losses, anchors, outputs, *rpn_losses(outputs, losses))

    def proposal_train_symbol(self, config):
        """Inputs data, label, bbox_target, bbox_weight; outputs `rpn_cls_prob_output` (B, 2, A*F, F) and
        `rpn_bbox_loss_output` (B, 4A, F, F)."""
        feature, _ = self.features(config)
        rpn = self.trained_rpn(config, feature)
        return mx.sym.Group([rpn.cls_prob, rpn.bbox_loss])

    def proposal_test_symbol(self, config):
        """Inputs data, im_info, im_ids; outputs `rois_output` (B*P, 5), `rois_score` (B*P,), `im_ids`."""
        return mx.sym.Group(self._proposals(config)[0])

    def proposal_feature_symbol(self, config):
        """`proposal_test_symbol` with the map that the RPN reads, `feature_map_output`, behind its outputs."""
        outputs, feature = self._proposals(config)
        return mx.sym.Group([*outputs, feature_output(feature)])

    def _proposals(self, config):
        """([outputs of the graph of proposals], Feature that the RPN reads)."""
        feature, _ = self.features(config)
        anchors, outputs = self.rpn_outputs(config, feature)
        rois, scores = rpn_proposals(outputs, mx.sym.var('im_info'), anchors,
                                     ProposalOptions.from_config(config, 'TEST'))
        return [rois, scores, mx.sym.var('im_ids')], feature

    @staticmethod
    def _proposal_test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width), im_info=(batch, 3), im_ids=(batch,))

    def _proposal_feature_shapes(self, config, batch, height, width):
        return self._proposal_test_shapes(config, batch, height, width)

    def variants(self, shapes):
        """With and without AutoFocus and masks, and the proposal network alone."""
        return two_stage_variants(shapes, masks=hasattr(self, 'mask_symbol'))
