"""What holds of every operator: clear errors, inputs left alone, the same bits whatever the batch.

An operator is covered when `operator_samples` has a sample call of it; a test fails for one that has none.
"""
import re

import numpy as np
import pytest

from operator_samples import BY_NAME, SAMPLES, rows_of, run, sample
from sniper_mxnet import mx

NAMES = sorted(BY_NAME)
EACH_INPUT = [(name, key) for name in sorted(SAMPLES) for key in sample(name).inputs]


def call(name, inputs, attributes):
    """Calls and waits."""
    outputs = getattr(mx.nd, name)(**inputs, **attributes)
    for output in outputs if isinstance(outputs, list) else [outputs]:
        output.wait_to_read()


def failure(name, case, **attributes):
    """Text of the MXNetError of a call with other attributes."""
    with pytest.raises(mx.MXNetError) as caught:
        call(name, {key: mx.nd.array(value) for key, value in case.inputs.items()}, dict(case.attributes, **attributes))
    return str(caught.value)


def test_every_operator_has_a_sample():
    assert sorted(SAMPLES) == NAMES
    for name, op in BY_NAME.items():
        case = sample(name)
        assert set(op.inputs) <= set(case.inputs) <= set(op.inputs + op.optional)
        assert list(case.inputs) == [key for key in op.inputs + op.optional if key in case.inputs]


@pytest.mark.parametrize('name', NAMES)
def test_outputs_are_finite_and_gradients_come_where_there_are_any(name):
    outputs, grads = run(name, sample(name))
    assert list(outputs) == list(BY_NAME[name].outputs)
    assert all(np.isfinite(value).all() for value in list(outputs.values()) + list(grads.values()))
    for key, value in grads.items():
        assert (value != 0).any() == (BY_NAME[name].guard == 'identity'), key


@pytest.mark.parametrize('name, key', EACH_INPUT)
def test_wrong_rank(name, key):
    case = sample(name)
    shape = case.inputs[key].shape
    for wrong in (shape + (1,), shape[:-1]):
        if not wrong:
            continue
        arrays = {other: mx.nd.zeros(wrong if other == key else value.shape) for other, value in case.inputs.items()}
        with pytest.raises(mx.MXNetError) as caught:
            call(name, arrays, case.attributes)
        wanted = fr'{name}: {key} must be .*got {re.escape(str(wrong))}'
        assert re.search(wanted, str(caught.value)), str(caught.value)


def empty_shapes(case):
    """Shapes of the sample's inputs in which axes are empty: all of one size, all images, or one axis of one input."""
    shapes = {key: value.shape for key, value in case.inputs.items()}
    for size in sorted({size for shape in shapes.values() for size in shape}):
        yield {key: tuple(0 if other == size else other for other in shape) for key, shape in shapes.items()}
    yield {key: shape if key in case.shared else (0,) + shape[1:] for key, shape in shapes.items()}
    for key, shape in shapes.items():
        for axis in range(len(shape)):
            yield dict(shapes, **{key: shape[:axis] + (0,) + shape[axis + 1:]})


def forget_errors():
    """Wait for what is still under way: the engine may have a second error of the same call, for whoever waits next."""
    for _ in range(10):
        try:
            mx.nd.waitall()
        except mx.MXNetError:
            continue
        return


@pytest.mark.parametrize('name', NAMES)
def test_empty_arrays_are_computed_or_refused(name):
    """No shape rule divides by a size of 0, and no kernel reads what is not there."""
    case = sample(name)
    with mx.util.np_shape(True):  # MXNet takes 0 for "unknown" otherwise
        for shapes in empty_shapes(case):
            inputs = {key: np.zeros(shape, np.float32) for key, shape in shapes.items()}
            try:
                outputs, grads = run(name, case._replace(inputs=inputs))
            except mx.MXNetError as error:
                assert re.search(name + ': .*(must be|of a batch of 0)', str(error)), (shapes, str(error))
                forget_errors()
                continue
            for value in list(outputs.values()) + list(grads.values()):
                assert np.isfinite(value).all(), shapes


@pytest.mark.parametrize('name', NAMES)
def test_empty_batch(name):
    """No images, no rows; the convolutions refuse, as the stock ones do without NumPy semantics."""
    case = sample(name)
    inputs = {key: value if key in case.shared else value[:0] for key, value in case.inputs.items()}
    with mx.util.np_shape(True):
        if name.endswith('Convolution'):
            with pytest.raises(mx.MXNetError, match=name + ': data must be .* sizes above 0'):
                run(name, case._replace(inputs=inputs))
            return
        outputs, grads = run(name, case._replace(inputs=inputs))
    assert all(outputs.pop(key) == 0 for key in case.sums)
    assert all(len(value) == 0 for value in list(outputs.values()) + list(grads.values()))


@pytest.mark.parametrize('name, key', EACH_INPUT)
@pytest.mark.parametrize('dtype', ['float64', 'float16', 'int32'])
def test_wrong_type(name, key, dtype):
    case = sample(name)
    arrays = {other: mx.nd.zeros(value.shape, dtype=dtype if other == key else 'float32')
              for other, value in case.inputs.items()}
    message = f'{name}: {key} must be float32, got {dtype}'
    if (name, dtype) == ('DeformableConvolution', 'float16'):  # graphs in half precision can be made, but not mixed
        message = r'DeformableConvolution: \w+ must be float(16 as data is, got float32|32, got float16)'
    with pytest.raises(mx.MXNetError, match=message):
        call(name, arrays, case.attributes)


@pytest.mark.parametrize('name, attribute, value', [
    (name,) + pair for name in sorted(SAMPLES) for pair in sample(name).bad])
def test_attribute_out_of_range(name, attribute, value):
    text = f'({",".join(map(str, value))})' if isinstance(value, tuple) else str(value)
    message = failure(name, sample(name), **{attribute: value})
    assert re.search(fr'{name}: {attribute} must be .*got {re.escape(text)}', message), message


@pytest.mark.parametrize('name', NAMES)
def test_unknown_attribute_and_nonsense_in_every_known_one(name):
    case = sample(name)
    message = failure(name, case, tresh=1)
    known = re.search(fr'{name} has no attribute tresh; it has ([\w, ]+)', message)
    assert known, message
    attributes = known.group(1).strip().split(', ')
    assert set(case.attributes) <= set(attributes)
    for attribute in attributes:
        message = failure(name, case, **{attribute: 'nonsense'})
        assert re.search(fr'{name}: {attribute} must be .*got nonsense', message), message


@pytest.mark.parametrize('name', NAMES)
def test_a_batch_is_its_images_one_by_one(name):
    """Also checks, as every run does, that inputs are left as they were."""
    case = sample(name, images=3)
    outputs, _ = run(name, case)
    for n in range(3):
        alone, _ = run(name, case.image(n))
        for key in set(alone) - set(case.packed + case.sums):
            value = alone[key]
            mine = rows_of(outputs[key], n, 3)
            if key in case.rois:
                assert (mine[:, 0] == n).all()
                mine[:, 0] = 0
            np.testing.assert_array_equal(mine, value, err_msg=f'{key} of image {n}')


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('odd', [np.nan, np.inf, -np.inf, 3e38], ids=str)
def test_odd_numbers_stay_in_their_image(name, odd):
    """They may be refused, by an error that names the row; they never reach another image, nor end the process."""
    case = sample(name)
    expected, _ = run(name, case, backward=False)
    rng = np.random.RandomState(1)
    for key in set(case.inputs) - set(case.shared):
        inputs = {other: value.copy() for other, value in case.inputs.items()}
        values = inputs[key]
        second = values[len(values) // 2:]
        chosen = rng.rand(*second.shape) < 0.3
        if key in case.rois:
            chosen[:, 0] = False
        second[chosen] = odd
        try:
            outputs, _ = run(name, case._replace(inputs=inputs), backward=False)
        except mx.MXNetError as error:
            assert re.search(f'{name}: (row [0-9]+ of {key}|{key} .* row [0-9]+)', str(error)), str(error)
            continue
        for output in set(outputs) - set(case.packed + case.sums):
            np.testing.assert_array_equal(rows_of(outputs[output], 0, 2), rows_of(expected[output], 0, 2),
                                          err_msg=f'{output}, odd {key}')
