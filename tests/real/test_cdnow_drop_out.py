"""CDNOW: where each customer is its own provider, drop-out is MBG/NBD with another spread.

Set TIERWISE_REAL_DATA to the folder that holds cdnow/CDNOW_sample.txt. MBG/NBD (Batislam, Denizel,
Filiztekin, IJRM 24(3), 2007) lets customers stop after any order, the first too, with a chance that
differs as beta; here its log odds differ as normal, and may change with the number of the order.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln

from tierwise.companies import purchases as pu
from tierwise.companies import repeat_buying as rb
from tierwise.providers import drop_out as do
from tierwise.providers.drop_out_rates import rates

FILE = Path(os.environ.get("TIERWISE_REAL_DATA", "")) / "cdnow" / "CDNOW_sample.txt"
CUT = pd.Timestamp("1997-10-01").as_unit("us")
PUBLISHED = (0.5248, 6.1831, 0.8914, 1.6140)  # r, alpha in weeks, a, b, as lifetimes finds them

pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="TIERWISE_REAL_DATA holds no cdnow/CDNOW_sample.txt"
)


@pytest.fixture(scope="module")
def orders():
    names = ["master_id", "account_id", "date", "cds_count", "amount_eur"]
    raw = pd.read_csv(FILE, sep=r"\s+", header=None, names=names, dtype={"account_id": str})
    days = pd.to_datetime(raw["date"].astype(str)).astype("datetime64[us]")
    return pu.orders(raw.assign(occurred_at=days)[["account_id", "occurred_at", "amount_eur"]])


@pytest.fixture(scope="module")
def fitted(orders):
    past = orders[orders["day"] < CUT]
    at_days = (past["day"] - CUT) / pd.Timedelta(days=1)
    visits = pd.DataFrame({"customer": past["account_id"], "at_days": at_days})
    return do.fit(visits.assign(provider=visits["customer"]), -1.0, 0.0)


def mbg(parameters, x, t_x, big_t):
    """Log of the likelihood with the customer there at T, and with it having stopped at t_x."""
    r, alpha, a, b = parameters
    stays = betaln(a, b + x + 1) - betaln(a, b) + rb.log_purchases(r, alpha, x, big_t)
    stopped = betaln(a + 1, b + x) - betaln(a, b) + rb.log_purchases(r, alpha, x, t_x)
    return stays, stopped


@pytest.fixture(scope="module")
def known(fitted):
    """Past of each customer, in weeks, and the two logs of MBG/NBD."""
    sums = fitted.sums
    past = [sums.later_visits, sums.t_x_days / 7, sums.age_days / 7]
    return past, mbg(PUBLISHED, *past)


def test_the_published_figures_of_mbg_nbd_are_a_maximum(known):
    past, (stays, stopped) = known
    assert len(stays) == 2357
    assert past[0].sum() == 2457
    best = np.logaddexp(stays, stopped).sum()
    for place in range(4):
        for factor in (0.98, 1.02):
            moved = np.array(PUBLISHED) * np.where(np.arange(4) == place, factor, 1)
            assert -0.3 < np.logaddexp(*mbg(moved, *past)).sum() - best < 0


def test_drop_out_describes_cdnow_as_well_as_mbg_nbd(fitted, known):
    """Log-likelihoods -9582.5 and -9582.1; the same rhythm within a tenth."""
    past, (stays, stopped) = known
    in_weeks = fitted.log_likelihood + past[0].sum() * np.log(7)
    assert in_weeks == pytest.approx(np.logaddexp(stays, stopped).sum(), abs=0.5)
    rhythm = fitted.parameters.rhythm
    assert (rhythm.r, rhythm.alpha_days / 7) == pytest.approx(PUBLISHED[:2], rel=0.1)


def test_the_chances_that_customers_have_stopped_are_nearly_those_of_mbg_nbd(fitted, known):
    _, (stays, stopped) = known
    mbg_chance = np.exp(stopped - np.logaddexp(stays, stopped))
    found = rates(fitted)["lost_count"].to_numpy()[fitted.sums.last[:, 0]]
    assert np.corrcoef(found, mbg_chance)[0, 1] > 0.99
    assert found.mean() == pytest.approx(mbg_chance.mean(), abs=0.04)
    assert np.abs(found - mbg_chance).max() < 0.06
