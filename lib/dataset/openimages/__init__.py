"""Open Images: 1.7 million pictures, 14.6 million boxes of 601 classes, from the files as they are downloaded.

    layout.py     which file is where
    classes.py    the list of classes: codes and names
    table.py      rows of a CSV file by the block
    boxes.py      the file of boxes -> flat arrays
    labels.py     which classes somebody has looked for in which picture
    sizes.py      sizes of pictures, from their headers or a file
    records.py    flat arrays -> the compact roidb
    dataset.py    the data set
    hierarchy.py  which classes are above and below a class
    scoring.py    average precision of arrays; predictions.py, evaluation.py: files and reports of a test

Source: https://storage.googleapis.com/openimages/web/index.html; reference/other_detectors.md B, more_openimages.md.
"""
