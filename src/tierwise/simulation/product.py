"""What an organisation does in the product, and what it gets out of it.

    effort         job posts and how good they are: follows from diligence and interest
    value          applications, answers, interviews: follows from fit and from the posts
    session        a visit of half an hour or so; most events happen in one
    happenings     what is drawn here; tracks.py makes tables of them
    age            clock days since a life began, in the organisation's own time zone

Nothing here looks at the fate. Every trial is drawn as if it went on.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise.simulation import clock, people

EVENT_TYPES = (
    "signed_up", "login", "page_viewed", "pricing_viewed", "job_draft_saved",
    "application_received", "application_viewed", "candidate_contacted", "candidate_replied",
    "interview_scheduled", "hire_recorded", "message_sent", "message_received",
    "support_requested", "colleague_invited", "mail_opened",
)  # fmt: skip
NUMBER = {name: number for number, name in enumerate(EVENT_TYPES)}
# Events of a session: type, mean, and the change of its log per unit of interest and diligence.
SESSION_EVENTS = (
    ("page_viewed", 3.4, 0.05, 0.05), ("pricing_viewed", 0.2, 0.5, 0.0),
    ("job_draft_saved", 0.28, 0.0, 0.6), ("message_sent", 0.22, 0.15, 0.1),
    ("message_received", 0.18, 0.15, 0.1), ("support_requested", 0.05, 0.0, 0.0),
    ("colleague_invited", 0.03, 0.3, 0.0),
)  # fmt: skip
# What becomes of an application: from, to, log odds, per unit of interest and fit, mean days.
STEPS = (
    ("application_received", "application_viewed", 1.0, 0.3, 0.0, 1.5),
    ("application_viewed", "candidate_contacted", -0.8, 0.5, 0.3, 1.5),
    ("candidate_contacted", "candidate_replied", 0.2, 0.0, 1.0, 1.2),
    ("candidate_replied", "interview_scheduled", -0.4, 0.2, 0.6, 2.5),
    ("interview_scheduled", "hire_recorded", -1.4, 0.0, 0.3, 8.0),
)
SESSIONS_COUNT = 13.0
QUICK_SHARE, QUICK_DAYS, STEADY_DAYS = 0.65, 9.0, 55.0  # activity fades
POSTS_COUNT, POST_DAYS = 1.8, 4.0
APPLICATIONS_COUNT, APPLICATION_DAYS = 8.5, 5.0
MAILS_COUNT, MAILS_DAYS = 4.0, 40.0


@dataclass
class Happenings:
    """Some things of one kind: row numbers of their lives, and clock days on the wall."""

    life: np.ndarray
    days: np.ndarray

    def some(self, chosen: np.ndarray, later: np.ndarray) -> "Happenings":
        """What follows, so many days later, from the chosen ones."""
        return Happenings(self.life[chosen], self.days[chosen] + later[chosen])


def starts(lives: pd.DataFrame) -> np.ndarray:
    """Local clock days at which lives begin."""
    began = clock.to_local(lives["began_at"].to_numpy(), lives["zone"].to_numpy())
    return clock.clock_days(began)


def acting(lives: pd.DataFrame) -> np.ndarray:
    """1 for lives with an account of their own; a twin's account is that of the other deal."""
    return (lives["twin_of"].to_numpy() < 0).astype(int)


def draw_sessions(lives: pd.DataFrame, begin: np.ndarray, rng: np.random.Generator) -> Happenings:
    """Busy and keen organisations come more often; the keen ones also keep coming.

    In order of lives. The first session of each is at its beginning.
    """
    interest, count = lives["interest"].to_numpy(), len(lives)
    busy = rng.gamma(6.0, 1 / 6, count) * (lives["employees_count"].to_numpy() / 40) ** 0.1
    acts = acting(lives)
    counts = acts + rng.poisson(SESSIONS_COUNT * np.exp(0.6 * interest) * busy * acts)
    life = np.repeat(np.arange(count), counts)
    quick = rng.random(len(life)) < QUICK_SHARE
    mean = np.where(quick, QUICK_DAYS * np.exp(0.5 * interest)[life], STEADY_DAYS)
    ages = rng.exponential(mean)
    ages[(np.cumsum(counts) - counts)[counts > 0]] = 0
    return Happenings(life, begin[life] + ages)


def draw_in_sessions(
    lives: pd.DataFrame, sessions: Happenings, rng: np.random.Generator
) -> list[tuple[int, Happenings]]:
    """Type and happenings of what is done in sessions: at a session's moment for now."""
    interest, diligence = lives["interest"].to_numpy(), lives["diligence"].to_numpy()
    counts = np.bincount(sessions.life, minlength=len(lives))
    first = np.cumsum(counts) - counts
    found = [(NUMBER["login"], sessions)]
    for name, mean, by_interest, by_diligence in SESSION_EVENTS:
        rate = mean * np.exp(by_interest * interest + by_diligence * diligence)
        life = np.repeat(np.arange(len(lives)), rng.poisson(counts * rate))
        chosen = first[life] + (rng.random(len(life)) * counts[life]).astype(int)
        found.append((NUMBER[name], Happenings(life, sessions.days[chosen])))
    return found


def draw_posts(
    lives: pd.DataFrame, begin: np.ndarray, rng: np.random.Generator
) -> tuple[Happenings, dict[str, np.ndarray]]:
    """Job posts and how good they are; the quality is that of its columns, in the same order."""
    interest, diligence = lives["interest"].to_numpy(), lives["diligence"].to_numpy()
    mean = POSTS_COUNT * np.exp(0.3 * interest + 0.35 * diligence) * acting(lives)
    life = np.repeat(np.arange(len(lives)), rng.poisson(mean))
    posts = Happenings(life, begin[life] + rng.exponential(POST_DAYS, len(life)))
    care, count = diligence[life], len(life)
    columns = {
        "title_length_count": np.round(np.clip(rng.normal(38 + 7 * care, 11), 6, 120)),
        "description_length_count": np.round(rng.lognormal(6.5 + 0.5 * care, 0.4)),
        "salary": rng.random(count) < 1 / (1 + np.exp(0.2 - 1.3 * care)),
        "photo": rng.random(count) < 1 / (1 + np.exp(0.8 - 1.2 * care)),
        "screening_questions_count": rng.poisson(np.exp(0.3 + 0.5 * care)).astype(float),
    }
    return posts, columns


def draw_applications(
    lives: pd.DataFrame, posts: Happenings, columns: dict, rng: np.random.Generator
) -> tuple[Happenings, np.ndarray]:
    """Applications and the number of their posts; good posts get more, well fitting firms too."""
    demand = people.effects(people.INDUSTRIES, 3)[lives["industry"]]
    fit = lives["fit"].to_numpy()
    quality = 0.25 * columns["salary"] + 0.2 * columns["photo"] - 0.2
    rate = APPLICATIONS_COUNT * np.exp(0.65 * fit[posts.life] + demand[posts.life] + quality)
    post = np.repeat(np.arange(len(posts.life)), rng.poisson(rate))
    days = posts.days[post] + rng.exponential(APPLICATION_DAYS, len(post))
    return Happenings(posts.life[post], days), post


def draw_steps(
    lives: pd.DataFrame, applications: Happenings, rng: np.random.Generator
) -> list[tuple[int, Happenings]]:
    """Type and happenings of what becomes of applications."""
    interest, fit = lives["interest"].to_numpy(), lives["fit"].to_numpy()
    found = {"application_received": applications}
    for before, after, odds, by_interest, by_fit, days in STEPS:
        earlier = found[before]
        odds_here = odds + by_interest * interest + by_fit * fit
        chosen = rng.random(len(earlier.life)) < (1 / (1 + np.exp(-odds_here)))[earlier.life]
        found[after] = earlier.some(chosen, rng.exponential(days, len(earlier.life)))
    return [(NUMBER[name], happenings) for name, happenings in found.items()]


def draw_mails(lives: pd.DataFrame, begin: np.ndarray, rng: np.random.Generator) -> Happenings:
    """Newsletters that are opened."""
    mean = MAILS_COUNT * np.exp(0.25 * lives["interest"].to_numpy()) * acting(lives)
    life = np.repeat(np.arange(len(lives)), rng.poisson(mean))
    return Happenings(life, begin[life] + rng.exponential(MAILS_DAYS, len(life)))
