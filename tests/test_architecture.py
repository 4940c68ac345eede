"""The floors of docs/architecture.md: which room may import which. All imports are read, those inside functions too."""
import ast
import os

import pytest

from tests.conftest import ROOT

# Rooms from the top floor to the ground. A room may import those that come after it, on its own floor too, and nothing
# above it; rooms in one pair of braces do not import each other. `commands` are the modules that are run as programs.
FLOORS = [
    ('command lines', [{'main_train', 'main_test', 'demo', 'scripts', 'commands'}, {'lib.fewshot'}, {'lib.api'},
                       {'lib.suggest'}, {'lib.cli'}]),
    ('training and inference', [{'lib.train', 'lib.inference'}, {'lib.outputs'}, {'lib.visualization'}]),
    ('running', [{'lib.export'}, {'lib.distributed'}, {'lib.engine'}, {'lib.iterators'}, {'lib.tasks'}]),
    ('data and weights', [{'lib.weights'}, {'lib.targets'}, {'lib.chips'}, {'lib.dataset'}]),
    ('networks', [{'symbols'}]),
    ('arrays', [{'lib.masks'}, {'lib.bbox'}, {'lib.image'}]),
    ('configuration', [{'configs'}, {'symbols.registry'}]),
    ('utilities', [{'lib.utils'}]),
]
# Tighter than the floors say.
ONLY = {
    'configs': {'lib.utils.errors', 'lib.utils.user_path', 'symbols.registry'},
    'symbols.registry': {'lib.utils.errors'},
    'symbols': {'configs', 'lib.utils.errors', 'lib.bbox', 'symbols.registry'},
}
# Programs that their own room starts, and not a user: they stay on its floor.
STARTED_BY_THEIR_ROOM = {'lib.distributed.launch.agent', 'lib.distributed.launch.parameter_server'}
# Run by worker processes, which must not load MXNet: it does not survive a fork, and loading it costs seconds.
WITHOUT_MXNET = {'configs', 'symbols.registry', 'lib.utils', 'lib.image', 'lib.bbox', 'lib.masks', 'lib.dataset',
                 'lib.chips', 'lib.targets', 'lib.tasks', 'lib.iterators'}
LOADS_MXNET = ('mxnet', 'sniper_mxnet', 'symbols')
ROOMS = [room for _, floor in FLOORS for rooms in floor for room in rooms]
RANKS = {room: rank for rank, rooms in enumerate(rooms for _, floor in FLOORS for rooms in floor) for room in rooms}
LONGEST = 400  # lines of a file of lib/


def source_files():
    """{module: path} of everything in lib/, configs/, symbols/, scripts/ and of the programs."""
    paths = [name for name in os.listdir(ROOT) if name.endswith('.py')]
    for top in ('lib', 'configs', 'symbols', 'scripts'):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            paths += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names if name.endswith('.py')]
    modules = {path[:-len('.py')].replace(os.sep, '.'): path for path in paths}
    return {module[:-len('.__init__')] if module.endswith('.__init__') else module: path
            for module, path in modules.items()}


MODULES = source_files()


def parsed(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as stream:
        return ast.parse(stream.read(), path)


def imported(module, path):
    """{(imported module, line)}: of ours as far as there is a file, of others by their top name."""
    package = module.split('.') if path.endswith('__init__.py') else module.split('.')[:-1]
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, node.lineno) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            base = '.'.join(base + (node.module.split('.') if node.module else []))
            for alias in node.names:  # from package import module, or a name in it
                full = f'{base}.{alias.name}'
                found.add((full if full in MODULES else base, node.lineno))
        elif (isinstance(node, ast.Call) and getattr(node.func, 'attr', getattr(node.func, 'id', '')) in
              ('import_module', '__import__') and node.args and isinstance(node.args[0], ast.Constant)):
            found.add((node.args[0].value, node.lineno))
    return found


IMPORTS = {module: imported(module, path) for module, path in MODULES.items()}


def within(module, room):
    return module == room or module.startswith(room + '.')


def is_command(module):
    """Whether the module is run as a program: it ends in `if __name__ == '__main__'`, or is a package's __main__."""
    if module.split('.')[0] not in ('lib', 'configs', 'symbols') or module in STARTED_BY_THEIR_ROOM:
        return False
    return module.endswith('.__main__') or any(
        isinstance(node, ast.If) and ast.dump(node.test).count("'__main__'") for node in parsed(MODULES[module]).body)


COMMANDS = {module for module in MODULES if is_command(module)}


def room_of(module):
    """The room that a module is in, the innermost that has a name; '' for lib/setup.py and packages of others."""
    if module in COMMANDS:
        return 'commands'
    return max((room for room in ROOMS if within(module, room)), key=len, default='')


def arrows():
    """(what to say, importing room, imported module, its room) of all imports between rooms."""
    for module, names in IMPORTS.items():
        for name, line in sorted(names):
            here, there = room_of(module), room_of(name)
            if here and there and here != there:
                yield f'{MODULES[module]}:{line}: {here} imports {name}', here, name, there


def test_every_module_is_in_a_room():
    lost = [path for module, path in MODULES.items() if not room_of(module) and module not in ('lib', 'lib.setup')]
    assert not lost, f'{lost}: put the room on a floor in {os.path.relpath(__file__, ROOT)}'


def test_the_rooms_are_described():
    """docs/architecture.md names every room."""
    with open(os.path.join(ROOT, 'docs', 'architecture.md'), encoding='utf-8') as stream:
        text = stream.read()
    names = [room for room in ROOMS if room != 'commands']
    missing = [room for room in names if not any(f'`{name}`' in text for name in (
        room, room.replace('.', '/') + '/', room + '.py'))]
    assert not missing


def test_arrows_point_down():
    up = [said for said, here, _, there in arrows() if RANKS[there] <= RANKS[here]]
    assert not up, 'not below it:\n' + '\n'.join(up)


def test_rooms_of_few_acquaintances():
    more = [said for said, here, name, _ in arrows() if here in ONLY and not any(within(name, ok) for ok in ONLY[here])]
    assert not more, f'more than {ONLY}:\n' + '\n'.join(more)


def test_no_circles_between_modules():
    """Not inside a room either: imports of a package's own front door from its modules count."""
    graph = {module: {name for name, _ in names if name in MODULES and name != module}
             for module, names in IMPORTS.items()}
    circles = [' -> '.join(circle) for circle in circles_of(graph)]
    assert not circles, '\n'.join(circles)


def circles_of(graph):
    """A path around each circle that a depth-first walk meets."""
    done, path, found = set(), [], []

    def visit(node):
        if node in path:
            found.append(path[path.index(node):] + [node])
            return
        if node in done:
            return
        path.append(node)
        for other in sorted(graph[node]):
            visit(other)
        path.pop()
        done.add(node)
    for node in sorted(graph):
        visit(node)
    return found


def test_worker_processes_can_do_without_mxnet():
    """The package symbols itself is free of it, but is there to build networks."""
    wrong = [f'{MODULES[module]}:{line}: {name}' for module, names in IMPORTS.items()
             if room_of(module) in WITHOUT_MXNET for name, line in sorted(names)
             if name.split('.')[0] in LOADS_MXNET and room_of(name) != 'symbols.registry']
    assert not wrong, '\n'.join(wrong)


@pytest.mark.parametrize('path', sorted(path for path in MODULES.values() if path.startswith('lib' + os.sep)))
def test_a_file_is_read_in_one_sitting(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as stream:
        assert len(stream.readlines()) <= LONGEST
