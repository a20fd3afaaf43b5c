"""The error tree is drawn as it is."""

import re

from tutelage.core import errors


def tree(kind: type[errors.TutelageError]) -> list[type[errors.TutelageError]]:
    return [kind, *[below for child in kind.__subclasses__() if child.__module__ == errors.__name__ for below in tree(child)]]


def test_the_drawn_tree_names_every_error_with_its_exit_code():
    drawn = dict(re.findall(r"([A-Z]\w+) +(\d)  ", errors.__doc__))
    assert drawn == {kind.__name__: str(kind.exit_code) for kind in tree(errors.TutelageError)}
    assert len(drawn) == 11
