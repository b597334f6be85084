"""Names of simulated providers, made from words; some hurt careless programs, on purpose."""

import numpy as np

from tierwise.simulation.account_names import FIRSTS, HOSTILE
from tierwise.simulation.provider_settings import ProviderSettings

SECONDS = (
    *("Broom", "Bucket", "Brush", "Sponge", "Cloth", "Feather", "Window", "Kettle", "Ladder"),
    *("Hearth", "Doorstep", "Attic", "Parlour", "Pantry", "Cottage", "Villa", "Terrace", "Gable"),
)
THIRDS = ("Cleaning", "Home Care", "Housekeeping", "Services", "Helpers", "& Daughters")


def draw_names(settings: ProviderSettings, rng: np.random.Generator) -> np.ndarray:
    """One name per provider, shape (providers_count,); all differ."""
    count = settings.providers_count
    drawn = rng.permutation(len(FIRSTS) * len(SECONDS) * len(THIRDS))[:count]
    third, rest = drawn % len(THIRDS), drawn // len(THIRDS)
    names = [
        f"{FIRSTS[number // len(SECONDS)]} {SECONDS[number % len(SECONDS)]} {THIRDS[last]}"
        for number, last in zip(rest, third, strict=True)
    ]
    hostile = min(max(4, round(settings.hostile_share * count)), count)
    places = rng.choice(count, hostile if settings.hostile_share else 0, replace=False)
    for turn, place in enumerate(places):
        again = turn // len(HOSTILE)
        names[place] = HOSTILE[turn % len(HOSTILE)] + (f" {again + 1}" if again else "")
    return np.array(names, dtype=object)
