"""Tables of what organisations leave behind: job posts, events, clicks on advertisements.

What would happen after a life ends is nearly all left out: a customer who was won goes on at a
slower pace, the others hardly come back. What happens before does not depend on the end.
"""

import numpy as np
import pandas as pd

from tierwise.simulation import clock, product
from tierwise.simulation.deals import SOURCES
from tierwise.simulation.delivery import coded, delivered, known_times, spans
from tierwise.simulation.product import EVENT_TYPES, NUMBER, Happenings
from tierwise.simulation.settings import Settings

KEPT_SHARES = np.array([0.25, 0.02, 0.02])  # of what would happen after a life is won, lost, gone
SESSION_MINUTES = 35.0
NOT_BY_PERSONS = ("application_received", "candidate_replied", "message_received")
COLLEAGUE_SHARE = 0.25  # of what is done once there is a colleague
PROPERTIES = ('{"device": "mobile"}', '{"page": "jobs"}', '{"page": "help"}', '{"channel": "chat"}')
PROPERTIES_OF = {"login": (0, 1), "page_viewed": (1, 3), "support_requested": (3, 4)}
PROPERTIES_SHARE = 0.15
CAMPAIGNS = ("brand", "jobs_generic", "competitors", "retargeting", "local")
PAID, CLICKS_COUNT, OTHER_CLICKS_COUNT = ("paid_search", "social"), 3.0, 0.4


def kept(
    at: np.ndarray, life: np.ndarray, lives: pd.DataFrame, rng: np.random.Generator
) -> np.ndarray:
    """Whether something that would happen at that moment in that life does happen."""
    share = KEPT_SHARES[lives["fate"].to_numpy()]
    return (at < lives["ended_at"].to_numpy()[life]) | (rng.random(len(life)) < share[life])


def tables(
    lives: pd.DataFrame, settings: Settings, block: int, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """job_posts, events and ad_clicks of a block."""
    draw, cut, deliver, click = rng.spawn(4)
    began = clock.to_local(lives["began_at"].to_numpy(), lives["zone"].to_numpy())
    begin = clock.clock_days(began)
    posts, columns = product.draw_posts(lives, begin, draw)
    applications, post = product.draw_applications(lives, posts, columns, draw)
    sessions = product.draw_sessions(lives, begin, draw)
    in_sessions = product.draw_in_sessions(lives, sessions, draw)
    others = [
        *product.draw_steps(lives, applications, draw),
        (NUMBER["mail_opened"], product.draw_mails(lives, begin, draw)),
    ]
    post_at = moments(posts, lives)
    post_kept = kept(post_at, posts.life, lives, cut)
    columns = {
        "organization_id": lives["organization_id"].to_numpy()[posts.life],
        "occurred_at": post_at,
        "known_at": known_times(post_at, settings, deliver),
        **columns,
    }
    columns = {name: values[post_kept] for name, values in columns.items()}
    life, kind, at = timed(lives, in_sessions, others, draw)
    chosen = kept(at, life, lives, cut)
    first = np.flatnonzero(kind == NUMBER["application_received"])
    chosen[first] &= post_kept[post]  # no application to a post that was never made
    life, kind, at = life[chosen], kind[chosen], at[chosen]
    return {
        "job_posts": delivered("post_id", columns, settings, block, deliver),
        "events": events_table(lives, life, kind, at, settings, block, deliver),
        "ad_clicks": clicks_table(lives, begin, settings, block, click),
    }


def moments(happenings: Happenings, lives: pd.DataFrame) -> np.ndarray:
    """In UTC."""
    zone = lives["zone"].to_numpy()[happenings.life]
    return clock.to_utc(clock.local_times(happenings.days), zone)


def timed(
    lives: pd.DataFrame, in_sessions: list, others: list, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of lives, types and moments in UTC of all events, signing up included."""
    every = [*in_sessions, *others]
    life = np.concatenate([happenings.life for _, happenings in every])
    kind = np.repeat([number for number, _ in every], [len(some.life) for _, some in every])
    local = clock.local_times(np.concatenate([happenings.days for _, happenings in every]))
    inside = sum(len(happenings.life) for _, happenings in in_sessions)
    logins = len(in_sessions[0][1].life)
    minutes = rng.uniform(0.2, SESSION_MINUTES, inside - logins)
    local[logins:inside] += spans(minutes * 60_000_000)
    at = clock.to_utc(local, lives["zone"].to_numpy()[life])
    new = np.flatnonzero(~lives["organization"].duplicated().to_numpy())
    return (
        np.concatenate([new, life]),
        np.concatenate([np.full(len(new), NUMBER["signed_up"]), kind]),
        np.concatenate([lives["occurred_at"].to_numpy()[new], at]),
    )


def events_table(
    lives: pd.DataFrame,
    life: np.ndarray,
    kind: np.ndarray,
    at: np.ndarray,
    settings: Settings,
    block: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    person = lives["person_id"].to_numpy()[life]
    joined = lives["colleague"].to_numpy() & (rng.random(len(lives)) < 0.98)
    other = joined[life] & (at > lives["colleague_at"].to_numpy()[life])
    person = person + (other & (rng.random(len(life)) < COLLEAGUE_SHARE))
    nobody = np.isin(kind, [NUMBER[name] for name in NOT_BY_PERSONS])
    columns = {
        "organization_id": lives["organization_id"].to_numpy()[life],
        "person_id": pd.arrays.IntegerArray(person, nobody | (rng.random(len(life)) < 0.02)),
        "occurred_at": at,
        "known_at": known_times(at, settings, rng),
        "type": coded(kind.astype("int8"), EVENT_TYPES),
        "amount": amounts(lives, life, kind, rng),
        "properties": properties(kind, rng),
    }
    return delivered("event_id", columns, settings, block, rng)


def amounts(
    lives: pd.DataFrame, life: np.ndarray, kind: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Seconds on a page, characters of a message, match score of an application from 0 to 1."""
    amount = np.full(len(kind), np.nan)
    pages = np.flatnonzero(kind == NUMBER["page_viewed"])
    amount[pages] = np.ceil(rng.lognormal(3.2, 1.0, len(pages)))
    sent = np.flatnonzero(kind == NUMBER["message_sent"])
    amount[sent] = np.ceil(rng.lognormal(5.0, 0.8, len(sent)))
    applied = np.flatnonzero(kind == NUMBER["application_received"])
    odds = 0.6 * lives["fit"].to_numpy()[life[applied]] + rng.normal(0, 1, len(applied))
    amount[applied] = np.round(1 / (1 + np.exp(-odds)), 2)
    return amount


def properties(kind: np.ndarray, rng: np.random.Generator) -> pd.Categorical:
    """JSON of a few events, missing for most."""
    code = np.full(len(kind), -1, "int8")
    for name, (lowest, end) in PROPERTIES_OF.items():
        rows = np.flatnonzero(kind == NUMBER[name])
        drawn = rng.integers(lowest, end, len(rows))
        code[rows] = np.where(rng.random(len(rows)) < PROPERTIES_SHARE, drawn, -1)
    return coded(code, PROPERTIES)


def clicks_table(
    lives: pd.DataFrame,
    begin: np.ndarray,
    settings: Settings,
    block: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Clicks before the opening become known with it: only then we know whose they were."""
    paid = np.isin(lives["source"], [[row[0] for row in SOURCES].index(name) for name in PAID])
    mean = np.where(paid, CLICKS_COUNT, OTHER_CLICKS_COUNT) * product.acting(lives)
    life = np.repeat(np.arange(len(lives)), rng.poisson(mean))
    earlier = rng.random(len(life)) < 0.4
    days = np.where(earlier, -1, 1) * rng.exponential(np.where(earlier, 6, 20))
    clicks = Happenings(life, begin[life] + days)
    at = moments(clicks, lives)
    chosen = kept(at, life, lives, rng)
    count = len(life)
    campaign = np.where(
        rng.random(count) < settings.missing_share, -1, rng.integers(0, len(CAMPAIGNS), count)
    )
    columns = {
        "organization_id": lives["organization_id"].to_numpy()[life],
        "occurred_at": at,
        "known_at": np.maximum(known_times(at, settings, rng), lives["began_at"].to_numpy()[life]),
        "campaign": coded(campaign, CAMPAIGNS),
        "cost_eur": np.round(rng.lognormal(0.3, 0.6, count), 2),
    }
    columns = {name: values[chosen] for name, values in columns.items()}
    return delivered("click_id", columns, settings, block, rng)
