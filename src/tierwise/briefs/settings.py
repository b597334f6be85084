"""What a brief may say, and the case that a statement is about: which account, as of when."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Settings:
    """What a brief may say.

    simulated: the records are, and each page says so. limit_days: the newest own record of a fact
    is no older than this. stakes: how much a fact of this topic matters beside others. The first
    facts_least_count facts are told where there are that many; the others only from a standardised
    size of notable_size on.
    """

    simulated: bool = False
    year_days: float = 365.0
    use_days: float = 90.0
    size_bands: tuple[int, ...] = (50, 250, 1000)  # people; each begins a band
    peers_least_count: int = 8
    hires_least_count: int = 8
    hires_named_count: int = 3  # fewer hires for a function are no mix
    people_least_count: int = 10
    recruiters_least_count: int = 5
    facts_least_count: int = 3
    facts_most_count: int = 5
    notable_size: float = 1.0
    deciders_count: int = 3
    ways_count: int = 2
    introducers_count: int = 2
    quarters_count: int = 8
    limit_days: dict[str, float] = field(
        default_factory=lambda: (
            {"growth": 365.0, "hiring": 365.0, "attrition": 365.0}
            | {"use": 180.0, "benchmark": 365.0}
        )
    )
    stakes: dict[str, float] = field(
        default_factory=lambda: (
            {"growth": 1.0, "hiring": 0.8, "attrition": 0.9} | {"use": 1.0, "benchmark": 0.9}
        )
    )


@dataclass(frozen=True)
class Case:
    """Of whom, as of when, and against what."""

    account_id: int
    as_of: pd.Timestamp
    against: str
    settings: Settings

    def ago(self, days: float) -> pd.Timestamp:
        return self.as_of - pd.Timedelta(days=days)

    def year(self, back: int = 0) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Begin and end of the last year, or of one so many years earlier."""
        days = self.settings.year_days
        return self.ago((back + 1) * days), self.ago(back * days)

    def season(self, back: int = 0) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The same of the window in which product use is counted."""
        days = self.settings.use_days
        return self.ago((back + 1) * days), self.ago(back * days)
