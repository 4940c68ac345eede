"""Image files to pixels (file.py), and pixels to the planes that a network reads (windows.py)."""
from lib.image.file import ImageFile, Picture, read_image
from lib.image.image_ext import write_planes
from lib.image.windows import chip_reduction, cut_window, jitter_colors, resize_by, resized_window, size_mismatch

__all__ = ['ImageFile', 'Picture', 'chip_reduction', 'cut_window', 'jitter_colors', 'read_image', 'resize_by',
           'resized_window', 'size_mismatch', 'write_planes']
