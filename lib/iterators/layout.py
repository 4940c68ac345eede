"""Names and shapes of the training tensors (reference/pipeline.md 10.12)."""


def train_layout(config, batch_size):
    """-> (data, label): lists of (tensor name, shape) in the order of the original."""
    size = config.TRAIN.CHIP_SIZE
    cells = size // config.network.RPN_FEAT_STRIDE
    anchors = config.network.NUM_ANCHORS
    data = [('data', (batch_size, 3, size, size))]
    label = [('label', (batch_size, anchors * cells * cells)),
             ('bbox_target', (batch_size, 4 * anchors, cells, cells)),
             ('bbox_weight', (batch_size, 4 * anchors, cells, cells))]
    if not config.TRAIN.ONLY_PROPOSAL:
        data += [('valid_ranges', (batch_size, 2)), ('im_info', (batch_size, 3))]
        label += [('gt_boxes', (batch_size, config.TRAIN.MAX_GT, 5))]
        if config.TRAIN.AUTO_FOCUS:
            label += [('scale_label', (batch_size, cells * cells))]
        if config.TRAIN.WITH_MASK:
            label += [('gt_masks', (batch_size, config.TRAIN.MAX_GT, config.TRAIN.MAX_POLYGON_LEN))]
    return data, label
