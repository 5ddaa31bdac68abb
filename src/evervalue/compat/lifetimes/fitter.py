"""What every fitter has: parameters as a Series, their uncertainty in tables, saving and loading."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from evervalue.compat.lifetimes.errors import RefusedInput
from evervalue.core.errors import NotFitted
from evervalue.numerics.arrays import Array
from evervalue.warehouse.frames import needed

KIND = "evervalue.compat.lifetimes"


class Fitter:
    """Base of the fitters.

    Parameters
    ----------
    penalizer_coef
        Weight, per customer, of the sum of squared LOGARITHMS of the parameters in scaled time. lifetimes penalises the
        squares of the parameters themselves, so coefficients other than 0 do not carry over: the first fit with one
        warns of it.
    """

    names: ClassVar[tuple[str, ...]]

    params_: Any
    """Series of estimates."""
    data: Any
    """Frame of what was given to `fit`; None where a model was loaded without."""
    log_likelihood_: float
    """At the estimates, without penalty, of all customers."""
    _covariance: Array
    """Of the logarithms of the parameters."""

    _told: ClassVar[bool] = False
    """Whether it has been said that the penalty is another one."""

    def __init__(self, penalizer_coef: float = 0.0) -> None:
        self.penalizer_coef = penalizer_coef

    def __repr__(self) -> str:
        name = f"<evervalue.compat.lifetimes.{type(self).__name__}"
        if not hasattr(self, "params_"):
            return f"{name}>"
        subjects = (
            f" fitted with {len(self.data):d} subjects," if getattr(self, "data", None) is not None else ""
        )
        return f"{name}:{subjects} {', '.join(f'{n}: {self.params_[n]:.2f}' for n in sorted(self.names))}>"

    @property
    def variance_matrix_(self) -> Any:
        """Covariance of the parameters (delta method) as a frame."""
        values = self._params()
        return pandas().DataFrame(
            self._covariance * np.outer(values, values), index=list(self.names), columns=list(self.names)
        )

    @property
    def standard_errors_(self) -> Any:
        """Standard errors of the parameters as a Series."""
        self._params()
        return pandas().Series(np.sqrt(np.diag(self.variance_matrix_)), index=list(self.names))

    @property
    def confidence_intervals_(self) -> Any:
        """Estimates plus and minus 1.96 standard errors, as lifetimes has them; they can fall below 0."""
        reach = 1.96 * self.standard_errors_
        return pandas().DataFrame(
            {"lower 95% bound": self.params_ - reach, "upper 95% bound": self.params_ + reach}
        )

    @property
    def summary(self) -> Any:
        """Frame with coef, se(coef) and the bounds, one row a parameter."""
        frame = pandas().DataFrame({"coef": self.params_, "se(coef)": self.standard_errors_})
        return frame.join(self.confidence_intervals_)

    def save_model(
        self,
        path: str | Path,
        save_data: bool = True,
        save_generate_data_method: bool = True,
        values_to_save: Any = None,
    ) -> None:
        """Writes the model to a JSON file, which anything can read and which runs no code when it is loaded.

        Parameters
        ----------
        path
            File to write.
        save_data
            Whether the data of the fit are written too.
        save_generate_data_method, values_to_save
            Not used.
        """
        self._params()
        document: dict[str, Any] = {
            "kind": KIND,
            "class": type(self).__name__,
            "penalizer_coef": self.penalizer_coef,
            "params": {name: float(self.params_[name]) for name in self.names},
            "covariance": getattr(self, "_covariance", np.full((len(self.names),) * 2, np.nan)).tolist(),
            "log_likelihood": getattr(self, "log_likelihood_", None),
        }
        if save_data and getattr(self, "data", None) is not None:
            document["data"] = {name: self.data[name].tolist() for name in self.data}
            document["index"] = [i if isinstance(i, int | str) else str(i) for i in self.data.index.tolist()]
        Path(path).write_text(json.dumps(document))

    def load_model(self, path: str | Path) -> Self:
        """The fitter itself with the parameters, and the data if there are any, of a file of `save_model`.

        Raises
        ------
        RefusedInput
            It is no such file (lifetimes' own are pickles, which can run code; they are not read), or it holds
            another model.
        """
        try:
            document = json.loads(Path(path).read_text())
            known = document["kind"] == KIND
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
            known = False
        if not known:
            raise RefusedInput(
                f"{path} was not written by save_model of evervalue.compat.lifetimes. Files of lifetimes itself are "
                "pickles, which can run code when they are read: fit again, or set params_."
            )
        if document["class"] != type(self).__name__:
            raise RefusedInput(f"{path} holds a {document['class']}, not a {type(self).__name__}.")
        self.penalizer_coef = document["penalizer_coef"]
        self.params_ = pandas().Series(document["params"])
        self._covariance = np.array(document["covariance"])
        if document["log_likelihood"] is not None:
            self.log_likelihood_ = document["log_likelihood"]
        self.data = (
            pandas().DataFrame(document["data"], index=document["index"]) if "data" in document else None
        )
        return self

    def _params(self) -> list[float]:
        """Estimates in the order of the names; `params_` may also have been set by hand."""
        if not hasattr(self, "params_"):
            raise NotFitted("Model has not been fit yet. Please call the .fit method first.")
        return [float(self.params_[name]) for name in self.names]

    def _penalty(self, weight: Array) -> float:
        """The weight of the penalty for all customers; says once that it is not that of lifetimes."""
        if self.penalizer_coef != 0 and not Fitter._told:
            Fitter._told = True
            warnings.warn(
                f"penalizer_coef={self.penalizer_coef:g} weighs the squared logarithms of the parameters here, in "
                "lifetimes the squared parameters themselves: estimates will differ from those that lifetimes gives "
                "with it. penalizer_coef=0 gives the same in both, and this fit seldom needs one.",
                stacklevel=4,
            )
        return self.penalizer_coef * float(weight.sum())

    def _take(self, model: Any, columns: dict[str, Any], index: Any) -> None:
        """Results of a fitted model of Evervalue."""
        self.params_ = pandas().Series(model.params_)[list(self.names)]
        self._covariance = model.covariance_
        self.log_likelihood_ = model.log_likelihood_
        self.data = pandas().DataFrame(columns, index=index)


def like(value: Any, *given: Any) -> Any:
    """A result as lifetimes returns it: a Series where a Series came in, with its index; a number where numbers did."""
    found = np.asarray(value, dtype=np.float64)
    for argument in given:
        if hasattr(argument, "index") and hasattr(argument, "to_numpy"):
            return pandas().Series(np.broadcast_to(found, np.shape(argument)), index=argument.index)
    return float(found) if found.ndim == 0 else found


def number(argument: Any) -> Array:
    """An argument as an array of doubles."""
    return np.asarray(argument, dtype=np.float64)


def weights_of(weights: Any, n: int) -> Array:
    """Weights given, or 1 each."""
    return np.ones(n) if weights is None else number(weights)


def pandas() -> Any:
    """The package pandas, imported when it is needed."""
    return needed("pandas", "frames")
