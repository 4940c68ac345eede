"""Image files to pixels, and pixels to the planes that a network reads.

    file.py      files to pixels
    header.py    what a file says before its pixels; formats.py   what a file is that cannot be decoded
    notices.py   what is to be said of many images, a line a kind
    windows.py   windows of pixels, resized
    sources.py   what a person names to be looked at; video.py   videos and cameras
"""
from lib.image.file import ImageFile, Picture, read_image
from lib.image.image_ext import write_planes
from lib.image.notices import ImageNotices, Notice
from lib.image.windows import chip_reduction, cut_window, jitter_colors, resize_by, resized_window

__all__ = ['ImageFile', 'ImageNotices', 'Notice', 'Picture', 'chip_reduction', 'cut_window', 'jitter_colors',
           'read_image', 'resize_by', 'resized_window', 'write_planes']
