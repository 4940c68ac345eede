"""The operators at realistic sizes, for timings.py: one function a family, each yields Case records."""
from collections import namedtuple

import numpy as np

import proposal_data
from proposal_data import Options

# name and size for people; the C function; its arguments in order: NumPy arrays that are inputs, `Output`s, and `Fixed`
# values handed on as they are (sizes, numbers); multiply-adds that no kernel can do without, 0 where memory is the
# limit.
Case = namedtuple('Case', 'name function arguments multiply_adds')
Output = namedtuple('Output', 'shape')
Fixed = namedtuple('Fixed', 'value')


def all_cases(small=False):
    """Cases at full size, or tiny ones (for the emulation) with small=True."""
    for family in (proposals, masks, pooling, roi_mean, convolution, multibox, mined_anchors, soft_sampling, soft_nms,
                   chips):
        yield from family(small)


def proposals(small):
    maps = [(1, 32, 32), (8, 32, 32), (1, 88, 50), (1, 88, 125)]
    for images, height, width in [(1, 6, 7)] if small else maps:
        options = Options(pre=6000)
        outputs = proposal_data.network_outputs(0, images, height, width, 21)
        rows = images * options.post
        yield Case(f'MultiProposal {images} image(s), 21 anchors, {height}x{width}, 6000 -> 300',
                   'multi_proposal', list(outputs) + [Output((rows, 5)), Output((rows,)),
                                                      Fixed(options.sizes(images, height, width)),
                                                      Fixed(options.numbers)], 0)
    for masks_an_image, max_groups in ((0, 0), (50, 0), (0, 10)):
        images, side, options = (2, 6, Options(pre=-1)) if small else (16, 32, Options(pre=-1))
        name = 'MultiProposalTarget' + ('Mask' if masks_an_image else '')
        with_groups = ' with group boxes' if max_groups else ''
        inputs = list(proposal_data.network_outputs(0, images, side, side, 21))
        inputs += list(proposal_data.ground_truth(1, images, 100, 16 * side))
        inputs += [proposal_data.group_boxes(2, images, max_groups, 16 * side)]
        rows, mask_rows = images * options.post, images * masks_an_image
        outputs = [Output(shape) for shape in [(rows, 5), (rows,), (rows, 4), (rows, 4), (mask_rows, 5), (mask_rows,)]]
        numbers = np.array([0.1, 0.1, 0.2, 0.2, 0, 0, masks_an_image > 0, 0.25, 50, 20], np.float64)
        yield Case(f'{name}{with_groups} {images} chips, 21 anchors, {side}x{side}, all -> 300', 'proposal_targets',
                   inputs + outputs + [Output((0,)), Output((rows if max_groups else 0,)),
                                       Fixed(options.sizes(images, side, side, 100, masks_an_image, 0, max_groups)),
                                       Fixed(options.numbers), Fixed(numbers)], 0)


def soft_sampling(small):
    draw = np.random.RandomState(0)
    images, rois, objects = (2, 20, 5) if small else (16, 4800, 100)
    corner, place = draw.uniform(0, 400, (rois, 2)), draw.uniform(0, 400, (images, objects, 2))
    boxes = np.concatenate([draw.randint(0, images, (rois, 1)), corner, corner + draw.uniform(9, 200, (rois, 2))], 1)
    rows = np.concatenate([place, place + draw.uniform(9, 200, place.shape), np.ones((images, objects, 1))], axis=2)
    yield Case(f'SoftSamplingWeight {rois} rois, {objects} objects', 'soft_sampling',
               [boxes.astype(np.float32), rows.astype(np.float32), Output((rois,)),
                Fixed(np.array([rois, images, objects], np.int64)), Fixed(np.array([0.25, 50, 20]))], 0)


def masks(small):
    draw = np.random.RandomState(0)
    images, rows, objects, length, size = (1, 4, 3, 40, 7) if small else (10, 500, 100, 500, 28)
    polys = np.full((images, objects, length), -1, np.float32)
    points = min(60, (length - 3) // 2)
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    for image in range(images):
        for i in range(objects):
            centre, radius = draw.uniform(50, 450, 2), draw.uniform(10, 100, (points, 1))
            outline = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            polys[image, i, :3 + 2 * points] = [i % 80, 1, 2 * points] + list(outline.ravel())
    corner = draw.uniform(0, 400, (rows, 2))
    image = draw.randint(0, images, (rows, 1))
    rois = np.concatenate([image, corner, corner + draw.uniform(20, 200, (rows, 2))], axis=1).astype(np.float32)
    ids = draw.randint(0, objects, rows).astype(np.float32)
    yield Case(f'MaskRcnnTarget {rows} rois, {size}x{size}, {points} points', 'mask_rcnn_target',
               [rois, polys, ids, Output((rows, size, size)), Output((rows, size, size)),
                Fixed(np.array([rows, images, objects, length, size], np.int64)), Fixed(-1.0)], 0)


def pooling(small):
    draw = np.random.RandomState(0)
    dim, side, rois_count, pooled = (4, 8, 5, 3) if small else (256, 32, 300, 7)
    for images in (1,) if small else (1, 16):
        count = rois_count * images
        data = draw.normal(size=(images, dim, side, side)).astype(np.float32)
        corner = draw.uniform(0, 12 * side, (count, 2))
        image = np.repeat(np.arange(images), rois_count)[:, None]
        rois = np.concatenate([image, corner, corner + draw.uniform(16, 8 * side, (count, 2))], axis=1)
        rois = rois.astype(np.float32)
        trans = draw.normal(size=(count, 2, pooled, pooled)).astype(np.float32)
        out = (count, dim, pooled, pooled)
        common = [data, rois, trans, Fixed(np.array([images, side, side, count, 1, dim, 1, pooled, pooled, 4],
                                                    np.int64)), Fixed(1.0 / 16), Fixed(0.1)]
        name = f'DeformablePSROIPooling %s, ({images},{dim},{side},{side}), {count} rois'
        yield Case(name % 'forward', 'psroi_pooling', common + [Output(out)], 0)
        yield Case(name % 'backward', 'psroi_pooling_backward',
                   common + [draw.normal(size=out).astype(np.float32), Output(data.shape), Output(trans.shape)], 0)


def roi_mean(small):
    draw = np.random.RandomState(0)
    channels, side, count = (5, 8, 6) if small else (3130, 32, 300)
    data = draw.normal(size=(1, channels, side, side)).astype(np.float32)
    corner = draw.uniform(0, 12 * side, (count, 2))
    rois = np.concatenate([np.zeros((count, 1)), corner, corner + draw.uniform(16, 8 * side, (count, 2))], axis=1)
    common = [data, rois.astype(np.float32), Fixed(np.array([1, channels, side, side, count, 7, 7], np.int64)),
              Fixed(1.0 / 16)]
    name = f'RoIMeanPooling %s, (1,{channels},{side},{side}), {count} rois'
    yield Case(name % 'forward', 'roi_mean_pooling', common + [Output((count, channels))], 0)
    yield Case(name % 'backward', 'roi_mean_pooling_backward',
               common + [draw.normal(size=(count, channels)).astype(np.float32), Output(data.shape)], 0)


def convolution(small):
    draw = np.random.RandomState(0)
    channels, side, groups = (8, 6, 2) if small else (512, 32, 4)
    for images in (1,) if small else (1, 4, 16):
        sizes = np.array([images, channels, side, side, side, side, 3, 3, 1, 1, 2, 2, 2, 2, channels, 1, groups],
                         np.int64)
        data = draw.normal(size=(images, channels, side, side)).astype(np.float32)
        offset = draw.normal(size=(images, 18 * groups, side, side)).astype(np.float32)
        weight = (0.02 * draw.normal(size=(channels, channels, 3, 3))).astype(np.float32)
        out_grad = draw.normal(size=data.shape).astype(np.float32)
        work = images * channels * channels * 9 * side * side
        name = f'DeformableConvolution %s, ({images},{channels},{side},{side}), 3x3, dilate 2, {groups} groups'
        common = [data, offset, weight, Fixed(None), Fixed(sizes)]
        yield Case(name % 'forward', 'deformable_convolution', common + [Output(data.shape)], work)
        yield Case(name % 'backward', 'deformable_convolution_backward',
                   common + [out_grad, Output(data.shape), Output(offset.shape), Output(weight.shape), Fixed(None)],
                   2 * work)


def multibox(small):
    draw = np.random.RandomState(0)
    images, priors, classes = (2, 40, 5) if small else (7, 32760, 81)
    sizes = Fixed(np.array([images, priors, classes], np.int64))
    rows = (images, priors)
    target = np.where(draw.uniform(size=rows) < 0.001, draw.randint(1, classes, rows), 0)
    inputs = [array.astype(np.float32) for array in (draw.normal(size=rows + (classes,)), draw.normal(size=rows + (4,)),
                                                     target, draw.normal(size=rows + (4,)))]
    name = f'MultiBoxLoss %s, {images} images, {priors} priors, {classes} classes'
    yield Case(name % 'forward', 'multibox_loss',
               inputs + [Output((1,)), Output((1,)), Output(rows), sizes, Fixed(3.0)], 0)
    one = np.ones(1, np.float32)
    yield Case(name % 'backward', 'multibox_loss_backward',
               inputs + [np.ones(rows, np.float32), one, one, Output(inputs[0].shape), Output(inputs[1].shape), sizes],
               0)


def mined_anchors(small):
    draw = np.random.RandomState(0)
    height, width, faces = (6, 7, 5) if small else (150, 200, 500)
    sides = np.exp(draw.uniform(np.log(8), np.log(40), (1, faces, 2)))
    corners = draw.uniform(0, 1, (1, faces, 2)) * ([8 * width, 8 * height] - sides)
    boxes = np.concatenate([corners, corners + sides - 1, np.ones((1, faces, 1))], axis=2)
    inputs = [array.astype(np.float32) for array in (
        draw.uniform(size=(1, 2, height, width)), boxes, np.array([[8 * height, 8 * width, 1]]))]
    outputs = [Output((1, 2 * height * width)), Output((1, 8, height, width)), Output((1, 8, height, width))]
    yield Case(f'MinedAnchorTarget {height}x{width}, 2 anchors, {faces} faces', 'mined_anchors',
               inputs + outputs + [Fixed(np.array([1, faces, height, width], np.int64)),
                                   Fixed(np.array([8, 16, 0, 0.5, 0.3, 0.3, 0, 256, 64], np.float64)),
                                   Fixed(np.array([1, 2, 1], np.float32)), Fixed(np.array([2, 1], np.int64))], 0)


def soft_nms(small):
    draw = np.random.RandomState(0)
    sets, rows = (2, 30) if small else (80, 300)
    corner = draw.uniform(0, 400, (sets, rows, 2))
    dets = np.concatenate([corner, corner + draw.uniform(10, 200, (sets, rows, 2)), draw.uniform(size=(sets, rows, 1))],
                          axis=2).astype(np.float32)
    yield Case(f'SoftNMS {rows} boxes x {sets} classes', 'soft_nms',
               [dets, Fixed(sets), Fixed(rows), Fixed(0.5), Fixed(0.3), Fixed(0.001), Fixed(2),
                Output(dets.shape), Output((sets,))], 0)


def chips(small):
    draw = np.random.RandomState(0)
    height, width, count, chip_size, stride = (120, 150, 10, 48, 16) if small else (1400, 2000, 100, 512, 32)
    for images in (1,) if small else (1, 16):
        corner = draw.uniform(0, 0.9, (images, count, 2)) * [width, height]
        boxes = np.concatenate([corner, corner + draw.uniform(5, 0.1 * width, (images, count, 2))], axis=2)
        yield Case(f'ChipGenerator {images} image(s), {count} boxes, {width}x{height}, stride {stride}',
                   'chip_generator',
                   [boxes.astype(np.float32), np.tile(np.float32([height, width, 1]), (images, 1)), Fixed(images),
                    Fixed(count), Fixed(chip_size), Fixed(stride), Fixed(100), Fixed(0), Output((images, 100, 4)),
                    Output((images,))], 0)
