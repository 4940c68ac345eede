"""Names of classes for weights without a side file: those that the original published.

Order is that of their category ids (COCO 2014) or of the development kit (PASCAL VOC).
"""
from lib.dataset.voc_annotations import BACKGROUND, PASCAL_VOC

COCO = tuple(name.replace('_', ' ') for name in '''
    person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter
    bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis
    snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup
    fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch
    potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink
    refrigerator book clock vase scissors teddy_bear hair_drier toothbrush'''.split())

_BY_NUMBER = {1 + len(names): (BACKGROUND,) + names for names in (COCO, PASCAL_VOC)}


def names_for(num_classes):
    """Class names, background first, for a number of classes with background; () for 0.

    81 is COCO and 21 PASCAL VOC; others are called 'class 1', 'class 2', ...
    """
    if num_classes in _BY_NUMBER:
        return _BY_NUMBER[num_classes]
    return tuple([BACKGROUND] + [f'class {label}' for label in range(1, num_classes)]) if num_classes else ()
