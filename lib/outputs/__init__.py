"""What was found in pictures and videos, for people and for other programs.

    boxes.py         corners as other programs count them
    coco.py          COCO's JSON, pycocotools' results        csv_table.py   a table
    yolo.py          YOLO's text files                        labelme.py     labelme's JSON files
    crops.py         a picture an object                      drawn.py       pictures and videos with boxes
    supervision.py   arrays of the package supervision        tables.py      printed

Writers of files have `add(frame, found)`, frame by frame (lib.image.sources.Frame, lib.bbox.detections.Detections of
it), and `close()`; files of one kind are complete at the end. Frames that cannot be read do not come.
"""
from lib.outputs.coco import CocoFile, to_coco
from lib.outputs.crops import CropFolder
from lib.outputs.csv_table import CsvFile
from lib.outputs.drawn import DrawnPictures, DrawnVideo
from lib.outputs.labelme import LabelmeFolder
from lib.outputs.supervision import to_supervision
from lib.outputs.tables import Tables, detection_table
from lib.outputs.yolo import YoloFolder

__all__ = ['CocoFile', 'CropFolder', 'CsvFile', 'DrawnPictures', 'DrawnVideo', 'LabelmeFolder', 'Tables',
           'YoloFolder', 'detection_table', 'to_coco', 'to_supervision']
