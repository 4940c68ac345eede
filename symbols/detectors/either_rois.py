"""A two-stage detector whose R-CNN looks at its own proposals or at rois that are fed to it: `network.ROIS`."""
from symbols.detectors.fast_rcnn import FastRcnn
from symbols.detectors.faster_rcnn import FasterRcnn
from symbols.variants import two_stage_variants


class EitherRois(FasterRcnn):
    """FasterRcnn of the same parts; with `network.ROIS` 'input' its training and test graph are those of FastRcnn.

    stage: see FastRcnn. The two forms share all layers but the last one of boxes, which has 4 rows here and those of
    FastRcnn there.
    """

    def __init__(self, backbone, neck, rpn, rcnn, stage):
        super().__init__(backbone, neck, rpn, rcnn)
        self.fed = FastRcnn(backbone, neck, rpn, rcnn, stage)

    def train_symbol(self, config):
        """See FasterRcnn, or FastRcnn."""
        return self.fed.train_symbol(config) if is_fed(config) else super().train_symbol(config)

    def test_symbol(self, config):
        """See FasterRcnn, or FastRcnn."""
        return self.fed.test_symbol(config) if is_fed(config) else super().test_symbol(config)

    def input_shapes(self, config, batch, height, width, variant):
        """{input name: shape} of a variant that is not for training."""
        form = self.fed if is_fed(config) and variant == 'test' else super()
        return form.input_shapes(config, batch, height, width, variant)

    def variants(self, shapes):
        """Those of FasterRcnn, and R-CNNs on rois from elsewhere."""
        fed = [variant._replace(name=variant.name.replace('rcnn', 'rcnn_on_rois'),
                                keys=variant.keys + (('network.ROIS', 'input'),))
               for variant in two_stage_variants(shapes, masks=False) if variant.name != 'rpn']
        return super().variants(shapes) + fed


def is_fed(config):
    """Whether rois are an input of the graphs."""
    return config.network.ROIS == 'input'
