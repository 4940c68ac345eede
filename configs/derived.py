"""Values that follow from several keys, for the places that must agree about them."""


def loss_factor(train):
    """Constant factor that the training graph puts on its losses, of the section TRAIN: `scale` with fp16, else 1.

    With LOSS_SCALING 'dynamic' there is none: the factor changes during training (lib.train.loss_scale).
    """
    return float(train.scale) if train.fp16 and train.LOSS_SCALING == 'static' else 1.0
