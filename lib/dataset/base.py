"""What every data set offers."""
import abc


class Dataset(abc.ABC):
    """One split of a data set: it loads its records and scores detections on them.

    A subclass takes (image_set, root_path, dataset_path, masks) and sets
    name      str, unique: data set and split (original: 'COCO_val2014')
    classes   tuple of str, '__background__' first; a label is a position in it
    image_ids list, ids of the images in the order of roidb()
    """

    name = ''
    classes = ('__background__',)
    image_ids = ()

    @property
    def num_classes(self):
        """Number of classes, background included."""
        return len(self.classes)

    @abc.abstractmethod
    def roidb(self):
        """-> sequence of records (lib.dataset.roidb), one an image, in a fixed order."""

    def original_image_ids(self):
        """Image ids in the order in which the original went through them, which its proposal files go by.

        ValueError if that is not known.
        """
        return list(self.image_ids)

    @abc.abstractmethod
    def evaluate(self, detections, results_dir):
        """Write `detections` to files in `results_dir` and score them.

        detections: lib.bbox.detections.Detections, boxes in original pixels, `image` in the order of roidb(), in any
        order; those of class 0 are ignored, a data set may not use the masks. ValueError for a class or image that
        there is not.
        Returns a dict of metrics, or None for a split without ground truth.
        """
