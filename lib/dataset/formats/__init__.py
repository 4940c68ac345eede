"""Formats of labelling tools, one a file: each yields pictures with objects, which become what a COCO file would hold.

    source.py           a picture, its objects, and the interface of a format: classes, what is wrong
    sets.py             which pictures are in which set
    pictures.py         which file is meant by what a tool wrote, and its size
    yolo.py, labelme.py, cvat.py, csv_table.py, wider.py    the formats
    converted.py        the data set of such a source: checks, records and scores are those of COCO's format
    auto.py             which format a folder is in
"""
