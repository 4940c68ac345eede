"""Soft Sampling (Wu et al. 2019, "Soft sampling for robust object detection"): background counts the less, the farther
it is from all objects, since objects that nobody has marked are there."""
from sniper_mxnet import mx


def weighted(scores, weight, name):
    """The same scores, whose gradient is multiplied by `weight`, an array that broadcasts to theirs.

    A softmax loss of them has the gradient weight x (p - onehot) in place of p - onehot; where its label is ignored
    that stays zero. (SoftmaxOutput takes no weights, and ignores the gradient of what comes behind it.)
    """
    fixed = mx.sym.BlockGrad(scores)
    return mx.sym.broadcast_add(mx.sym.broadcast_mul(mx.sym.BlockGrad(weight), scores - fixed), fixed, name=name)
