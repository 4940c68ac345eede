"""What the evaluators of all data sets share."""


def per_class_table(per_class, title='AP per class', columns=3):
    """Lines of an aligned table: class, AP; '-' for a class without annotations."""
    width = max(len(name) for name in per_class)
    cells = [f'{name:<{width}} {"-" if ap < 0 else f"{ap:.3f}":>6}' for name, ap in per_class.items()]
    rows = -(-len(cells) // columns)
    return [title] + ['   '.join(cells[row::rows]) for row in range(rows)]
