"""The learners that are compared, each with its module here and what it can afford.

A peer is a function `fit(columns, outcome, **options)` that returns a function from columns to
chances: it sees the columns and outcomes of known rows, then the columns of the rows to judge.
`ours` sees the protocol and so the times too, see interface.py. Every learner runs as a process
of its own (worker.py), those with requirements in an environment of their own.
"""

from dataclasses import dataclass, field
from typing import Any

OURS = "tierwise"
REFERENCE = "logistic_regression"  # fit_cpu_ratio is in units of it
ANY = 10**6


@dataclass(frozen=True)
class Learner:
    """One learner. most_fits: of a protocol with more fits it is left out, with that reason."""

    module: str
    options: dict[str, Any] = field(default_factory=dict)
    most_fits: int = ANY
    requirements: str = ""
    threads: int = 1


def search(module: str, requirements: str = "", threads: int = 1, **options: Any) -> Learner:
    """A learner that tries many models at each fit."""
    return Learner(module, options, 5, requirements, threads)


LEARNERS: dict[str, Learner] = {
    OURS: Learner("ours"),
    "recent_rate": Learner("recent_rate"),
    "naive_bayes_categorical": Learner("naive_bayes_tables", {"with_numbers": False}),
    "naive_bayes_tables": Learner("naive_bayes_tables"),
    "logistic_regression": Learner("logistic_regression"),
    "random_forest": Learner("random_forest"),
    "histogram_boosting": Learner("histogram_boosting"),
    "xgboost": Learner("xgboost_trees"),
    "lightgbm": Learner("lightgbm_trees"),
    "catboost": Learner("catboost_trees", most_fits=25),
    "lightgbm_tuned": search("lightgbm_search", trials_count=20),
    "catboost_tuned": search("catboost_search", trials_count=8),
    "flaml": search("flaml_search", "flaml", limit_s=60),
    "mljar": search("mljar_search", "mljar", limit_s=120),
    "autogluon_medium": search("autogluon_stack", "autogluon", 2, preset="medium", limit_s=300),
    "autogluon_best": search("autogluon_stack", "autogluon", 2, preset="best", limit_s=300),
}
