"""The error tree: what can go wrong, with the exit code of the command line and the next step for the user.

TutelageError                1  our fault, or nothing more exact is known
|-- BalanceError             1  a stage lost a row: rows in differ from kept + dropped + merged + split
|-- InputError               2  the recipe, a document or an argument cannot be used
|   |-- RecipeError          2  the recipe has mistakes; one line each
|   |-- ExtraMissing         2  an optional package is not installed; names what to install
|   |-- ArtifactError        2  an artifact is absent, tampered with or of another format
|   `-- ContextTooLong       2  a prompt does not fit the model's context; nothing is ever cut unasked
|-- GateClosed               3  the model did not pass, or the evidence does not suffice
|   `-- LeakFound            3  a training row resembles a held-out row
|-- ServiceUnavailable       4  a service did not answer, or a port is taken
`-- Paused                   5  stopped on request; the same command goes on where it stopped
"""

from __future__ import annotations

from collections.abc import Mapping


class TutelageError(Exception):
    """Base of all errors of Tutelage. The message says what, where, got, allowed and next, in this order, in English.

    `texts` are the keys and facts of its parts in the catalogue, where they stand in other languages too; empty where they do not.
    `between` is what stands between two parts.
    """

    exit_code = 1
    texts: tuple[tuple[str, Mapping[str, object]], ...] = ()
    between: str = "\n"


class BalanceError(TutelageError):
    """A stage lost or invented a row."""


class InputError(TutelageError):
    """The recipe, a document or an argument cannot be used."""

    exit_code = 2


class RecipeError(InputError):
    """A recipe with mistakes: one line for each, with its place in the file."""


class ExtraMissing(InputError):
    """An optional package is not installed."""


class ArtifactError(InputError):
    """An artifact is absent, was tampered with, or has another format version."""


class ContextTooLong(InputError):
    """A prompt and its reply do not fit the context of the model."""


class GateClosed(TutelageError):
    """The gate is closed: the model is worse, or there is not enough evidence."""

    exit_code = 3


class LeakFound(GateClosed):
    """A training row resembles a held-out row too closely."""


class ServiceUnavailable(TutelageError):
    """A service did not answer, or its port is taken."""

    exit_code = 4


class Paused(TutelageError):
    """Stopped on request; the same command goes on where it stopped."""

    exit_code = 5
