"""One scale of the test pyramid over a list of images."""
from lib.inference.decode import DetectionDecoder
from lib.iterators import TestIterator


def scale_name(config, index):
    """'800x1280' for entry `index` of TEST.SCALES; part of file names."""
    return '%dx%d' % tuple(config.TEST.SCALES[index])


def whole_images(roidb):
    """crops[image] = one crop each, the whole image: x1, y1, x2, y2 in original pixels."""
    return [[(0.0, 0.0, float(entry['width']), float(entry['height']))] for entry in roidb]


def run_scale(roidb, crops, predictor, config, index, clock, done, num_workers=None, decoder=None):
    """Detections of scale `index`: rows[image][crop] -> (n, 6), see lib.inference.decode, or what `decoder` makes.

    crops[image]: list of windows; an image without one has no detections. clock: StageClock; done(count) is called
    with the number of crops that were finished, first with 0. num_workers: image readers, None = TEST.NUM_PROCESS.
    """
    decoder = decoder or DetectionDecoder(config.TEST.SCORE_THRESH)
    done(0)
    rows = [[decoder.no_rows() for _ in windows] for windows in crops]
    if not any(crops):
        return rows
    missing = {(image, chip) for image, windows in enumerate(crops) for chip in range(len(windows))}
    batch_images = config.TEST.BATCH_IMAGES[index] * predictor.devices
    with TestIterator(roidb, config, index, batch_images, num_workers=num_workers, crops=crops) as batches:
        source = iter(batches)
        while True:
            with clock.stage('read'):
                batch = next(source, None)
            if batch is None:
                return rows
            with clock.stage('network'):
                outputs = predictor.predict(batch)
            with clock.stage('decode'):
                found = decoder(outputs, batch, crops)
            before = len(missing)
            for image, chip, slot_rows in found:  # padding repeats a crop with the same result
                rows[image][chip] = slot_rows
                missing.discard((image, chip))
            done(before - len(missing))
