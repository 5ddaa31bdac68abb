"""What every estimator has: parameters by name, findings in words, a summary, and the habits of scikit-learn."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from evervalue.core import show
from evervalue.core.errors import NotFitted, SettingsError
from evervalue.core.text import count, did_you_mean
from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class Finding:
    """Something about a fit that its user should know before using the numbers."""

    code: str
    """Short name, for code to look at."""
    says: str
    """The same in plain words, with figures."""


class Estimator:
    """Arguments of `__init__` are kept under their names; fitted attributes end in an underscore.

    scikit-learn itself is not needed: `get_params`, `set_params` and `sklearn.base.clone` work all the same.
    """

    findings_: list[Finding]
    _drawn: tuple[int, int, Array, float | None, str, str] | None
    """Posterior draws, where some were made: how many, their seed, the draws, k-hat, method and words."""

    @classmethod
    def _names(cls) -> list[str]:
        return [
            name
            for name, p in inspect.signature(cls.__init__).parameters.items()
            if name != "self" and p.kind is not p.VAR_KEYWORD
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments of the constructor by name, those of estimators inside as `name__argument`."""
        found: dict[str, Any] = {}
        for name in self._names():
            value = getattr(self, name)
            found[name] = value
            if deep and isinstance(value, Estimator):
                found |= {f"{name}__{inner}": v for inner, v in value.get_params().items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """The estimator itself with arguments replaced.

        Raises
        ------
        SettingsError
            It has no such argument.
        """
        known = self.get_params(deep=False)
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in known:
                raise SettingsError(
                    f"{type(self).__name__} has no argument '{outer}'{did_you_mean(outer, known)}. "
                    f"It has: {', '.join(known) or 'none'}."
                )
            if inner:
                getattr(self, outer).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "findings_")

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks before it searches or cross-validates; nobody else calls it."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=InputTags())

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise _not_fitted()(
                f"This {type(self).__name__} is not fitted yet. Call fit(history) first, or load a fitted one."
            )

    def _settle(self) -> None:
        """Makes what predictions need and is made when they are first asked for; called before a file is written."""

    def _kept(self, draws: int, random_state: int | None) -> tuple[Array, float | None, str, str]:
        """The posterior draws that came with a file, which holds no data; any part of them is a fair sample too."""
        kept = 0 if self._drawn is None else len(self._drawn[2])
        if self._drawn is None or draws > kept:
            raise NotFitted(
                f"This model came out of a file that keeps {count(kept, 'draw')}; {draws:,} need a new fit."
            )
        _, seed, thetas, k_hat, method, says = self._drawn
        if random_state is not None and random_state != seed:
            raise NotFitted(
                f"This model came out of a file that keeps {count(kept, 'draw')} of the seed {seed}; those of "
                f"random_state={random_state} need a new fit."
            )
        if draws < kept:
            says = f"The first {draws:,} of {says}"
        return thetas[:draws], k_hat, method, says

    def save(self, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
        """The JSON file into which the fitted model was written; `ev.load_model` gives it back without a refit.

        Parameters
        ----------
        path
            The file, usually `NAME.json`.
        about
            What the file shall say besides, as plain values.

        Raises
        ------
        NotFitted
            It has not been fitted.
        StorageError
            The file cannot be written.
        """
        from evervalue.models.registry import save

        return save(self, path, about)

    def to_sql(self, dialect: str = "duckdb", *, horizon: Any = "365d") -> str:
        """One SELECT over `customers.purchase_history` that scores every customer inside the engine that holds them.

        Its numbers are those of `predict`: closed forms where there are some, the others joined from the distinct
        histories that a run has scored, and null unless that run fitted this very model for this horizon;
        `evervalue.models.to_sql` says which.

        Parameters
        ----------
        dialect
            duckdb, spark, redshift, snowflake or bigquery.
        horizon
            That `predict` is asked for.

        Raises
        ------
        SettingsError
            There is no such dialect, or the model has no SQL (those of whole periods have none), does not know its unit
            of time, or depends on covariates.
        """
        from evervalue.models.to_sql import to_sql

        return to_sql(self, dialect=dialect, horizon=horizon)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in self._names()
            if not _same(getattr(self, name), defaults[name].default)
        )
        return f"{type(self).__name__}({shown})"


def _not_fitted() -> type[NotFitted]:
    """`NotFitted`, which is scikit-learn's NotFittedError as well where scikit-learn is in use."""
    theirs = sys.modules.get("sklearn.exceptions")
    if theirs is None:
        return NotFitted
    return type("NotFitted", (NotFitted, theirs.NotFittedError), {"__doc__": NotFitted.__doc__})


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


@dataclass(frozen=True)
class Summary:
    """Estimates with standard errors and intervals, and what the fit found; shows itself as text and as HTML."""

    title: str
    facts: dict[str, str]
    rows: list[dict[str, Any]]
    """One a parameter: parameter, estimate, standard_error, low, high."""
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "title": self.title,
            "facts": dict(self.facts),
            "parameters": [dict(row) for row in self.rows],
            "findings": [{"code": f.code, "says": f.says} for f in self.findings],
        }

    def _facts(self) -> Iterator[tuple[str, str]]:
        yield from self.facts.items()
        for finding in self.findings:
            yield "note", finding.says

    def _sample(self) -> show.Sample:
        columns = list(self.rows[0]) if self.rows else []
        rows = [[_digits(row[c]) for c in columns] for row in self.rows]
        return show.Sample(columns, rows, len(rows))

    def __repr__(self) -> str:
        return show.text(self.title, self._facts(), self._sample())

    def _repr_html_(self) -> str:
        return show.html(self.title, self._facts(), self._sample())


def _digits(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
