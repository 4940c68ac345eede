"""Pictures: detections (draw.py, labels.py) and FocusChips, training chips (chips.py), their figures (chip_plot.py),
curves (curves.py, precision_recall.py), the files of all of them (pictures.py, plot_file.py, video.py), and the page on
a test (report/)."""
from lib.visualization.draw import class_colour, class_name, draw_detections, draw_focus_chips
from lib.visualization.pictures import picture_names, write_picture

__all__ = ['class_colour', 'class_name', 'draw_detections', 'draw_focus_chips', 'picture_names', 'write_picture']
