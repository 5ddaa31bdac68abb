"""Customers of whom nobody came back: what is predicted of them is the word of others, and that is said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import evervalue as ev
from evervalue.models.stand_in import PooledRate

RNG = np.random.default_rng(1)
SEEN = ev.BetaGeo().kernel.simulate((0.8, 30.0, 0.8, 2.5), RNG.uniform(50, 365, 200), RNG)
MODEL = ev.BetaGeo().fit({"frequency": SEEN.x, "recency": SEEN.t_x, "T": SEEN.T})
NEW = {"frequency": np.zeros(40), "recency": np.zeros(40), "T": np.linspace(1, 80, 40)}


def test_a_fitted_model_says_that_it_speaks_of_others() -> None:
    with pytest.warns(UserWarning, match="None of these 40 customers came back") as told:
        found = MODEL.predict(NEW, 30)
    assert "the 200 customers that BG/NBD was fitted to" in str(told[0].message)
    assert np.all(np.diff(found["expected_orders"]) < 0), "they differ by their age alone"


def test_a_few_new_customers_or_one_that_came_back_need_no_word() -> None:
    some = {name: column[:5] for name, column in NEW.items()}
    one = {
        name: np.append(column, value) for (name, column), value in zip(NEW.items(), (2, 30, 60), strict=True)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MODEL.predict(some, 30)
        MODEL.predict(one, 30)


def test_a_pooled_rate_says_whose_word_it_is() -> None:
    assert PooledRate(0, 399).says == (
        "That rate, half an order in 399 customer-days, is the prior's: nothing is in it of these customers but how "
        "long they were watched."
    )
    assert PooledRate(3, 1_200).says == (
        "That rate, 3 repeat purchase days in 1,200 customer-days, is that of all customers together; nobody's own "
        "purchases change it."
    )
    assert "1 repeat purchase day in" in PooledRate(1, 1_200).says
