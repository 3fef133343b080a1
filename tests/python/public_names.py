"""Prints the public names of the installed oslo_concurrency and fasteners, `MODULE NAME` a line.

These are functions and classes, their arguments as `name(argument)`, members of classes as
`Class.member`, and module variables. A module that cannot be imported, because it needs packages
of tests, is parsed instead.
"""

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import pathlib
import warnings

MODULES = [
    "oslo_concurrency.lockutils",
    "oslo_concurrency.processutils",
    "oslo_concurrency.prlimit",
    "oslo_concurrency.watchdog",
    "oslo_concurrency.fixture.lockutils",
    "oslo_concurrency.opts",
    "oslo_concurrency.version",
    "fasteners",
    "fasteners.lock",
    "fasteners.process_lock",
]


def public(name):
    return not name.startswith("_") or name == "__version__"


def tree_of(module):
    source = importlib.util.find_spec(module).origin
    return ast.parse(pathlib.Path(source).read_text()).body


def arguments_of(function):
    arguments = function.args
    every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    names = [argument.arg for argument in every if argument.arg not in ("self", "cls")]
    return names + [rest.arg for rest in (arguments.vararg,) if rest]


def defined(body):
    """The names that the statements of a module or class define."""
    for item in body:
        if isinstance(item, ast.FunctionDef) and public(item.name):
            yield item.name
            for argument in arguments_of(item):
                yield f"{item.name}({argument})"
        elif isinstance(item, ast.ClassDef) and public(item.name):
            yield item.name
            if any(ast.unparse(base) == "Protocol" for base in item.bases):
                continue  # for type checkers
            for member in item.body:
                if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                    for argument in arguments_of(member):
                        yield f"{item.name}({argument})"
            for member in defined(item.body):
                yield f"{item.name}.{member}"
        elif isinstance(item, ast.Assign):
            for target in item.targets:
                if isinstance(target, ast.Name) and public(target.id):
                    yield target.id


def shown(module):
    """The `__all__` of the module, or its `dir()` without imported names."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(module)
    except ImportError:
        return
    if hasattr(module, "__all__"):
        yield from module.__all__
        return
    for name, value in vars(module).items():
        home = getattr(value, "__module__", None)
        defined = inspect.isclass(value) or inspect.isfunction(value)
        if public(name) and defined and home == module.__name__:
            yield name


for module in MODULES:
    for name in dict.fromkeys([*defined(tree_of(module)), *shown(module)]):
        print(module, name)
for script in importlib.metadata.entry_points(group="console_scripts"):
    if script.value.startswith(("oslo_concurrency.", "fasteners.")):
        print("commands", script.name)
