"""What the evaluators of all data sets share."""


def check_detections(detections, num_classes, num_images):
    """Raise ValueError unless detections[class][image] has as many of both."""
    if len(detections) != num_classes or any(len(of_class) != num_images for of_class in detections[1:]):
        raise ValueError(f'detections must be a list of {num_classes} classes of {num_images} images each, not '
                         f'{len(detections)} classes of {sorted({len(c) for c in detections[1:]})}')


def per_class_table(per_class, title='AP per class', columns=3):
    """Lines of an aligned table: class, AP; '-' for a class without annotations."""
    width = max(len(name) for name in per_class)
    cells = [f'{name:<{width}} {"-" if ap < 0 else f"{ap:.3f}":>6}' for name, ap in per_class.items()]
    rows = -(-len(cells) // columns)
    return [title] + ['   '.join(cells[row::rows]) for row in range(rows)]
