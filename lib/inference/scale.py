"""One scale of the test pyramid over a list of images."""
from typing import List, NamedTuple, Optional

from lib.inference.decode import DetectionDecoder
from lib.inference.masks import MaskMaker
from lib.iterators import TestIterator


class ScaleResult(NamedTuple):
    """What a scale made of some images; lists by image, then by window."""

    crops: List               # windows x1, y1, x2, y2 in original pixels
    rows: List                # (n, 6) detections, see lib.inference.decode, or what another decoder makes
    maps: Optional[List]      # (h, w) float32 focus maps, if the next scale needs them
    network_pixels: int = 0   # that went through the network, with padding; 0 if read from a file
    masks: Optional[List] = None  # a run-length code (lib.masks) a row, b'' = none; with TEST.WITH_MASK

    def of_images(self, numbers):
        """The result of these images alone; without pixels, which are of all together."""
        crops, rows, maps, masks = (items and [items[number] for number in numbers]
                                    for items in (self.crops, self.rows, self.maps, self.masks))
        return ScaleResult(crops, rows, maps, masks=masks)


def joined(parts, numbers):
    """Results of parts of the images, which are images `numbers[part]` -> of all."""
    crops, rows, maps, masks = (in_order([getattr(part, field) for part in parts], numbers)
                                for field in ('crops', 'rows', 'maps', 'masks'))
    return ScaleResult(crops, rows, maps, sum(part.network_pixels for part in parts), masks)


def in_order(lists, numbers):
    """Lists of items, those of images `numbers[list]` -> one list by image; None if there is a None among the lists."""
    if any(part is None for part in lists):
        return None
    found = [None] * sum(map(len, lists))
    for items, of_list in zip(lists, numbers):
        for number, item in zip(of_list, items):
            found[number] = item
    return found


def scale_name(config, index):
    """'800x1280' for entry `index` of TEST.SCALES; part of file names."""
    return '{}x{}'.format(*tuple(config.TEST.SCALES[index]))


def makes_chips(config, index):
    """Whether the focus maps of scale `index` say where the next one looks."""
    return index + 1 < len(config.TEST.SCALES) and config.TEST.DO_PRUNING[index + 1]


def run_scale(roidb, crops, predictor, config, index, clock, done, num_workers=None, decoder=None):
    """-> ScaleResult of scale `index`, with focus maps if the next scale needs them.

    crops[image]: list of windows; an image without one has no detections. clock: StageClock; done(count) is called
    with the number of crops that were finished, first with 0. num_workers: image readers, None = TEST.NUM_PROCESS.
    decoder: see decode.DetectionDecoder, the default, which is told what AutoFocus does at this scale. With
    TEST.WITH_MASK the predictor makes masks too (see masks.MaskMaker), unless there is another decoder.
    """
    mask_maker = MaskMaker.of_scale(config, index, roidb, predictor.predict_masks) if (
        config.TEST.WITH_MASK and decoder is None) else None
    fitted = decoder is None and config.TEST.DO_PRUNING[index]
    decoder = decoder or DetectionDecoder.of_scale(config, index, roidb, makes_chips(config, index))
    done(0)
    rows = [[decoder.no_rows() for _ in windows] for windows in crops]
    maps = [[None] * len(windows) for windows in crops] if decoder.focus_stride else None
    masks = [[[] for _ in windows] for windows in crops] if mask_maker else None
    missing = {(image, chip) for image, windows in enumerate(crops) for chip in range(len(windows))}
    if not missing:
        return ScaleResult(crops, rows, maps, masks=masks)
    pixels = 0
    with TestIterator(roidb, config, index, config.TEST.BATCH_IMAGES[index] * predictor.devices, num_workers, crops,
                      predictor.devices if fitted else 0) as batches:
        source = iter(batches)
        while True:
            with clock.stage('read'):
                batch = next(source, None)
            if batch is None:
                return ScaleResult(crops, rows, maps, pixels, masks)
            with clock.stage('network'):
                outputs = predictor.predict(batch)
            pixels += batch.data['data'][:, 0].size
            with clock.stage('decode'):
                found = decoder(outputs, batch, crops)
            # Padding repeats a crop with the same result: what is known already is not looked at again.
            fresh = {(slot.image, slot.chip): (number, slot) for number, slot in enumerate(found)}
            fresh = {window: of_window for window, of_window in fresh.items() if window in missing}
            if mask_maker and fresh:
                with clock.stage('masks'):
                    codes = mask_maker(outputs, list(fresh.values()), crops)
                for (image, chip), of_rows in zip(fresh, codes):
                    masks[image][chip] = of_rows
            for (image, chip), (_, slot) in fresh.items():
                rows[image][chip] = slot.rows
                if maps:
                    maps[image][chip] = slot.focus_map
            missing -= fresh.keys()
            done(len(fresh))
