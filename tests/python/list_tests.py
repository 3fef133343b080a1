"""Prints the ids of the tests below a folder, one a line: `list_tests.py PACKAGE FOLDER`.

PACKAGE is the dotted name of the folder. Nothing is imported. A test is a function `test…` or a
method `test…` of a class, also one inherited from a class of the same module. A parametrized test
counts once for each of its values, as pytest names them.
"""

import ast
import pathlib
import sys


def parameters(function):
    """The suffixes that a literal `pytest.mark.parametrize` appends to the name."""
    for decorator in function.decorator_list:
        call = isinstance(decorator, ast.Call)
        if call and ast.unparse(decorator.func) == "pytest.mark.parametrize":
            return [f"[{value}]" for value in ast.literal_eval(decorator.args[1])]
    return [""]


def tests_of(body):
    for item in body:
        if isinstance(item, ast.FunctionDef) and item.name.startswith("test"):
            for suffix in parameters(item):
                yield item.name + suffix


def tests_of_class(name, classes):
    """Methods of a class and of its bases in the same module, each once."""
    found = dict.fromkeys(tests_of(classes[name].body))
    for base in map(ast.unparse, classes[name].bases):
        if base in classes:
            found.update(dict.fromkeys(tests_of_class(base, classes)))
    return list(found)


def tests_of_module(path):
    body = ast.parse(path.read_text()).body
    classes = {item.name: item for item in body if isinstance(item, ast.ClassDef)}
    yield from tests_of(body)
    for name in classes:
        for test in tests_of_class(name, classes):
            yield f"{name}.{test}"


def main(package, folder):
    folder = pathlib.Path(folder)
    for path in sorted(folder.rglob("test_*.py")):
        module = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
        for test in tests_of_module(path):
            print(f"{module}.{test}")


main(*sys.argv[1:])
