"""ImageNet's layouts: a folder a class, boxes in XML, thousands of classes, super-classes.

    dataset.py          the data set `imagenet`: records, classes, super-classes, what a test writes and scores
    layout.py           which sets a folder holds, and whether it is one of these
    listing.py          pictures of a set and where their boxes lie
    reading.py          XML files by the million to records, in several processes
    devkit.py           classes, words, lists of R-FCN-3K's development kit, pickles of Python 2
    super_classes.py    which classes belong together, from JSON or from the kit
    scoring.py          detections against objects by the rules of ILSVRC DET, arrays only
    result_files.py     the official text files: written and read
    evaluation.py       what a test writes and reports

Source: reference/other_detectors.md A, more_rfcn3k.md.
"""
