"""Write a simulated marketplace of home services: the tables of provider_tables, and the truth.

    <folder>/<table>.parquet    every table of provider_tables.CONTRACTS, rows by known_at
    <truth>/quality.parquet     provider_id, quarter, quality (standard normal) and drop_out_share:
                                true chance that a customer stops, had it served all visits
    <truth>/leakage.parquet     provider_id, leaks, diverted_share (of its customers)
    <truth>/customers.parquet   customer_id, level, ended_at, end (stays, stopped, diverted)

Each family of tables has random numbers of its own: more surveys change no booking.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import expit
from tqdm import tqdm

from tierwise.provider_tables import CONTRACTS
from tierwise.simulation import (
    provider_customers,
    provider_history,
    provider_lives,
    provider_responses,
    provider_rows,
    provider_visits,
)
from tierwise.simulation.delivery import coded, frame
from tierwise.simulation.provider_bookings import DONE, Columns
from tierwise.simulation.provider_customers import Market
from tierwise.simulation.provider_settings import ProviderSettings
from tierwise.simulation.provider_visits import STAYS, Visits
from tierwise.simulation.world import read_apart, write_apart

TRUTH = ("quality", "leakage", "customers")
ENDS = ("stays", "stopped", "diverted")  # as provider_visits numbers them
STEPS_COUNT = 3
PLACES = np.linspace(-4, 4, 161)  # effects at which the chance on the mix is worked out
Tables = dict[str, pd.DataFrame]


def draw(settings: ProviderSettings) -> tuple[Tables, Tables]:
    """All tables and the truth, both by name; progress on stderr."""
    serve, come, visit, say, arrive = settings.generators(5)
    with tqdm(total=STEPS_COUNT, unit=" steps", desc="simulate providers") as progress:
        market = Market(
            settings,
            provider_lives.draw_providers(settings, serve),
            provider_customers.draw_customers(settings, come),
        )
        progress.update()
        happened = provider_visits.draw_visits(market, visit)
        progress.update()
        tables = draw_tables(happened, market, say, arrive)
        progress.update()
    truth = {
        "quality": quality_table(happened, market),
        "leakage": leakage_table(happened, market),
        "customers": customers_table(happened, market),
    }
    return {name: tables[name] for name in CONTRACTS}, {name: truth[name] for name in TRUTH}


def draw_tables(happened: Visits, market: Market, say: Generator, arrive: Generator) -> Tables:
    remind, pay, rate, complain, ask = say.spawn(5)
    comes = arrive.spawn(len(CONTRACTS))
    done = happened.bookings["status"] == DONE
    amount, tip = provider_responses.draw_amounts(happened.bookings, market, pay)
    bookings = {
        **happened.bookings,
        "booking_id": provider_rows.booking_ids(happened.bookings["booked"]),
        "amount_eur": amount,
        "tip_eur": tip,
        "reminded": done & (remind.random(len(done)) < market.settings.reminded_share),
    }
    visits = {name: values[done] for name, values in bookings.items()}
    of_providers = (market.providers, market.settings)
    return {
        "providers": provider_history.providers_table(*of_providers, comes[0]),
        "provider_events": provider_history.events_table(*of_providers, comes[1]),
        "bookings": provider_rows.bookings_table(bookings, market, comes[2]),
        "favourites": provider_rows.favourites_table(happened.favourites, market, comes[3]),
        "blacklist": provider_rows.blacklist_table(happened.refusals, market, comes[4]),
        "ratings": provider_rows.ratings_table(visits, market, rate, comes[5]),
        "complaints": provider_rows.complaints_table(visits, market, complain, comes[6]),
        "surveys": provider_rows.surveys_table(visits, market, ask, comes[7]),
    }


def served(happened: Visits) -> Columns:
    """The bookings that were done."""
    done = happened.bookings["status"] == DONE
    return {name: values[done] for name, values in happened.bookings.items()}


def quality_table(happened: Visits, market: Market) -> pd.DataFrame:
    """drop_out_share: the mean over all visits, had this provider served them in that quarter."""
    rest = served(happened)["rest"]
    mean = [expit(rest + place).mean() if len(rest) else np.nan for place in PLACES]
    share = np.interp(market.providers.effect, PLACES, mean)
    return provider_lives.quality_table(market.providers, share, market.settings)


def leakage_table(happened: Visits, market: Market) -> pd.DataFrame:
    """diverted_share: of the customers whom the provider served at least once."""
    visits, count = served(happened), len(market.providers.leaks)
    pairs = np.unique(visits["customer"].astype("int64") * count + visits["provider"])
    customers = np.bincount(pairs % count, minlength=count)
    diverted = np.bincount(visits["provider"][visits["diverted"]], minlength=count)
    return pd.DataFrame(
        {
            "provider_id": market.providers.ids,
            "leaks": market.providers.leaks,
            "diverted_share": diverted / np.maximum(customers, 1),
        }
    )


def customers_table(happened: Visits, market: Market) -> pd.DataFrame:
    """Those who booked at all; ended_at is the end of the last visit."""
    rows = np.unique(happened.bookings["customer"])
    end = happened.end[rows]
    ended = provider_history.moments(np.nan_to_num(happened.ended[rows]), market.settings)
    ended[end == STAYS] = np.datetime64("NaT")
    return frame(
        {
            "customer_id": market.customers.ids[rows],
            "level": market.customers.level[rows],
            "ended_at": ended,
            "end": coded(end.astype("int8"), ENDS),
        }
    )


def write(folder: Path, settings: ProviderSettings, truth: Path | None = None) -> None:
    """Write the tables to `folder` and the truth to another one; see world.write_apart."""
    write_apart((folder, truth), (tuple(CONTRACTS), TRUTH), lambda: draw(settings))


def read_truth(folder: Path) -> Tables:
    """The tables of TRUTH by name, from the folder that `write` filled."""
    return read_apart(folder, TRUTH, "a marketplace")
