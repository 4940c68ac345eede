"""Pictures of detections."""
from lib.visualization.draw import class_name, draw_detections
from lib.visualization.focus import draw_focus_chips
from lib.visualization.palette import class_colour
from lib.visualization.pictures import picture_names, write_picture

__all__ = ['class_colour', 'class_name', 'draw_detections', 'draw_focus_chips', 'picture_names', 'write_picture']
