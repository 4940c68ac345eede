"""A checkpoint of sniper_tiny with random weights, for tests that need a network and not its skill."""
import json
import os

from lib.weights.paths import output_folder


def write_checkpoint(config, cfg_path, classes, epoch=1, save_prefix='SNIPER', seed=0, score_spread=1.0, masks=False):
    """Write `<prefix>-<epoch>.params` and, if `classes` is not None, its side file, where main_test.py looks.

    score_spread: of the class scores' weights; larger is more certain. masks: with a mask head. -> path of the
    parameter file.
    """
    from sniper_mxnet import mx
    from symbols import get_detector
    count = config.dataset.NUM_CLASSES
    if classes is not None:
        config.dataset.NUM_CLASSES = len(classes)
    detector = get_detector(config.symbol)
    symbol = detector.test_symbol(config)
    shapes = detector.input_shapes(config, 1, 64, 64, 'test')
    arg_shapes, _, aux_shapes = symbol.infer_shape(**shapes)
    args = dict(zip(symbol.list_arguments(), arg_shapes))
    if masks:
        head = detector.mask_symbol(config)
        inputs = detector.input_shapes(config, 1, 64, 64, 'mask')
        args.update(zip(head.list_arguments(), head.infer_shape(**inputs)[0]))
        shapes = dict(shapes, **inputs)
    config.dataset.NUM_CLASSES = count
    mx.random.seed(seed)
    arrays = {}
    for name, shape in args.items():
        if name not in shapes:
            arrays['arg:' + name] = _initial(mx, name, shape, score_spread)
            if name.startswith('bbox_pred'):  # decodes directly
                arrays[f'arg:{name}_test'] = arrays['arg:' + name]
    for name, shape in zip(symbol.list_auxiliary_states(), aux_shapes):
        arrays['aux:' + name] = mx.nd.ones(shape) if name.endswith('var') else mx.nd.zeros(shape)
    prefix = os.path.join(output_folder(config, cfg_path), save_prefix)
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    path = f'{prefix}-{epoch:04d}.params'
    mx.nd.save(path, arrays)
    if classes is not None:
        with open(f'{prefix}-{epoch:04d}.json', 'w', encoding='utf-8') as stream:
            json.dump({'classes': list(classes), 'epoch': epoch}, stream)
    return path


def _initial(mx, name, shape, score_spread):
    if name.endswith('gamma'):
        return mx.nd.ones(shape)
    if name.endswith(('beta', 'bias')):
        return mx.nd.zeros(shape)
    if name == 'cls_score_weight':
        return mx.nd.random.normal(0, score_spread, shape)
    fan_in = 1
    for size in shape[1:]:
        fan_in *= size
    scale = 1e-4 if name.startswith(('bbox_pred', 'rpn_', 'offset', 'conv_new_out', 'loc.')) else 1.0
    return mx.nd.random.normal(0, scale * (2.0 / fan_in) ** 0.5, shape)
