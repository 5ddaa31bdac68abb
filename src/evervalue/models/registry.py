"""Fitted models as files: a JSON document under 100 KB that loads without a refit and predicts the same bits.

The document has two halves. What people read: class, parameters with standard errors, the covariance of their
logarithms, unit, number of customers, log-likelihood, findings, and whatever the writer has to say besides (the data's
checksum, the backtest, versions, the cutoff). And `state`, the attributes that the object predicts from, exact to the
bit: arrays are base64 of little-endian doubles, or of singles where these are as exact. Histories are not in it, so a
loaded model cannot be refitted from its file, and its posterior is the draws that predictions are averaged over.

Nothing in a file is run: the class is looked up among those of this package, and a checksum over the whole document
is held against it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evervalue.core.errors import InputError, NotFitted, StorageError
from evervalue.core.text import did_you_mean
from evervalue.models.base import Estimator, Finding
from evervalue.models.covariates import Covariates
from evervalue.models.recalibration import Recalibration
from evervalue.numerics.spend.independence import Independence

FORMAT = 1
LARGEST = 100_000
"""Bytes that a file may have."""
KIND = "evervalue fitted model"
LEFT_OUT = frozenset({"_likelihood", "_history"})
"""Attributes that hold data; they stay behind."""


@dataclass(frozen=True)
class Saved:
    """A fitted model out of a file, with what the file says of it."""

    model: Any
    about: Mapping[str, Any]
    """What the writer had to say: `data_sha256`, `as_of`, `backtest`, `versions` ..."""


def classes() -> dict[str, Callable[..., Any]]:
    """Estimators that a file may name."""
    from evervalue.models.clv import CLV
    from evervalue.models.contract import BetaDiscreteWeibull, ShiftedBetaGeo
    from evervalue.models.discrete import BetaGeoBetaBinomial
    from evervalue.models.purchase_models import MODELS
    from evervalue.models.spend import GammaGamma, NormalSpend

    periods = (BetaGeoBetaBinomial, ShiftedBetaGeo, BetaDiscreteWeibull)
    return {model.__name__: model for model in (*MODELS.values(), *periods, GammaGamma, NormalSpend, CLV)}


def document(model: Estimator, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document of a fitted model.

    Raises
    ------
    NotFitted
        It has not been fitted.
    """
    if not model.__sklearn_is_fitted__():
        raise NotFitted(f"This {type(model).__name__} is not fitted yet, so there is nothing to save.")
    model._settle()
    arguments = model.get_params(deep=False)
    state = {k: v for k, v in vars(model).items() if k not in arguments and k not in LEFT_OUT}
    found: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "class": type(model).__name__,
        "arguments": _written(arguments),
        **_readable(model),
        "about": _written(dict(about or {})),
        "versions": {
            "evervalue": version("evervalue"),
            "numpy": np.__version__,
            "scipy": version("scipy"),
            "python": platform.python_version(),
        },
        "state": _written(state),
    }
    found["sha256"] = _checksum(found)
    return found


def save(model: Estimator, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """The file into which a fitted model was written, whole or not at all.

    Parameters
    ----------
    model
        A fitted estimator.
    path
        The file, usually `NAME.json`.
    about
        What the file shall say besides, as plain values.

    Raises
    ------
    NotFitted
        It has not been fitted.
    StorageError
        The file cannot be written, or would be larger than `LARGEST`.
    """
    file = Path(path)
    text = json.dumps(document(model, about), indent=1, ensure_ascii=False) + "\n"
    if len(text.encode()) > LARGEST:
        raise StorageError(
            f"{file} would have {len(text.encode()):,} bytes; a fitted model has at most {LARGEST:,}. "
            "Keep fewer posterior draws."
        )
    partial = file.with_name(file.name + ".partial")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"{file} cannot be written: {error.strerror}.") from None
    return file


def read(path: str | Path) -> Saved:
    """A fitted model with what its file says of it.

    Raises
    ------
    StorageError
        The file is not there, is damaged, or was written by a newer Evervalue.
    InputError
        The file is something else.
    """
    file = Path(path)
    found = _parsed(file)
    known = classes()
    if found["class"] not in known:
        raise StorageError(
            f"{file} holds a {found['class']}, which this Evervalue does not know"
            f"{did_you_mean(str(found['class']), known)}; it was written by version "
            f"{found['versions'].get('evervalue')}. Upgrade, or fit again."
        )
    try:
        model = known[found["class"]](**_read(found["arguments"]))
        return Saved(_filled(model, found["state"]), _read(found["about"]))
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{file} is damaged: {error}. Fit again, or take the file of another run."
        ) from None


def load_model(path: str | Path) -> Any:
    """A fitted model from its file, ready to predict, without a refit.

    Parameters
    ----------
    path
        A file that `save` wrote, for example `evervalue-data/runs/RUN/models/orders.json`.

    Raises
    ------
    StorageError
        The file is not there, is damaged, or was written by a newer Evervalue.
    InputError
        The file is something else.
    """
    return read(path).model


def _filled(model: Any, state: Any) -> Any:
    """The estimator with its fitted attributes; what was left out is None."""
    vars(model).update(dict.fromkeys(LEFT_OUT))
    vars(model).update(_read(state))
    return model


def _parsed(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise StorageError(
            f"There is no fitted model at {file}. A run writes them beside its snapshot."
        ) from None
    except IsADirectoryError:
        raise StorageError(
            f"{file} is a folder. Name the file in it that holds the model, such as {file / 'orders.json'}."
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StorageError(
            f"{file} is damaged: it is not JSON ({error}). Fit again, or take another run's."
        ) from None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise InputError(f"{file} is JSON, but not a fitted model of Evervalue.")
    if not isinstance(found.get("format"), int) or found["format"] > FORMAT:
        raise StorageError(
            f"{file} is of format {found.get('format')}; this Evervalue ({version('evervalue')}) reads formats up to "
            f"{FORMAT}. Upgrade, or fit again."
        )
    if found.get("sha256") != _checksum(found):
        raise StorageError(
            f"{file} is damaged: its checksum is not that of its content, so it was cut or changed by hand. "
            "Fit again, or take another run's."
        )
    return found


def _readable(model: Any) -> dict[str, Any]:
    """What people look for."""
    said: dict[str, Any] = {"model": getattr(model, "name", type(model).__name__)}
    for key, name in (
        ("unit", "unit_"), ("parameters", "params_"), ("coefficients", "coefficients_"),
        ("standard_errors", "standard_errors_"), ("log_covariance", "covariance_"),
        ("log_likelihood", "log_likelihood_"), ("customers", "n_customers_"), ("distinct_histories", "n_histories_"),
        ("findings", "findings_"),
    ):  # fmt: skip
        if hasattr(model, name):
            said[key] = _plain(getattr(model, name))
    return said


def _plain(value: Any) -> Any:
    """A value for people: lists and numbers, null for what is not finite."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Finding):
        return {"code": value.code, "says": value.says}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _written(value: Any) -> Any:
    """A value as JSON that `_read` turns back into the same, to the bit."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | np.floating():
            number = float(value)
            return number if math.isfinite(number) else {"$": "float", "is": str(number)}
        case np.integer():
            return int(value)
        case np.ndarray():
            array = np.ascontiguousarray(value, dtype="<f8")
            short = array.astype("<f4")
            kind = "<f4" if array.size and np.array_equal(short.astype("<f8"), array) else "<f8"
            return {
                "$": "array",
                "shape": list(value.shape),
                "of": kind,
                "is": base64.b64encode(array.astype(kind).tobytes()).decode(),
            }
        case Finding():
            return {"$": "finding", "code": value.code, "says": value.says}
        case Recalibration():
            return {"$": "recalibration", "is": _written(value.to_dict())}
        case Covariates():
            return {"$": "covariates", "is": _written(asdict(value))}
        case Independence():
            return {"$": "independence", "is": _written(asdict(value))}
        case tuple():
            return {"$": "tuple", "is": [_written(v) for v in value]}
        case list():
            return [_written(v) for v in value]
        case Estimator():
            inner = {k: v for k, v in vars(value).items() if k not in LEFT_OUT}
            return {"$": "estimator", "class": type(value).__name__, "is": _written(inner)}
        case _ if isinstance(value, Mapping):
            return {str(k): _written(v) for k, v in value.items()}
        case _:
            raise TypeError(f"a {type(value).__name__} has no place in the file of a fitted model")


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(v) for v in value]
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case None:
            return {k: _read(v) for k, v in value.items()}
        case "float":
            return float(value["is"])
        case "array":
            raw = np.frombuffer(
                base64.b64decode(value["is"], validate=True), dtype={"<f4": "<f4", "<f8": "<f8"}[value["of"]]
            )
            return raw.reshape(value["shape"]).astype(np.float64)
        case "finding":
            return Finding(value["code"], value["says"])
        case "recalibration":
            return Recalibration.from_dict(_read(value["is"]))
        case "covariates":
            return Covariates(**_read(value["is"]))
        case "independence":
            return Independence(**_read(value["is"]))
        case "tuple":
            return tuple(_read(v) for v in value["is"])
        case "estimator":
            return _filled(classes()[value["class"]](), value["is"])
        case other:
            raise ValueError(f"'{other}' is not known here")


def _checksum(found: Mapping[str, Any]) -> str:
    rest = {k: v for k, v in found.items() if k != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
