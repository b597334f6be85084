"""Four segments of simulated customers: what they are like, what they do, what they answer to.

Every table of SHIFTS has one row per segment. A shift is on log odds or on a logarithm, and is
multiplied with the separation of the settings, so that at 0 all segments are the same.
"""

import numpy as np

SEGMENTS = ("city singles", "young families", "club people", "older regulars")
CITIES = (
    *("Berlin", "Leipzig", "Vienna", "Graz", "London"),
    *("Leeds", "Riga", "Daugavpils", "Almaty", "Astana"),
)
COUNTRIES = ("DE", "AT", "GB", "LV", "KZ")
COUNTRY_OF = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])  # number in COUNTRIES of each city
CITY_SHARES = np.array([0.14, 0.08, 0.13, 0.07, 0.16, 0.08, 0.11, 0.06, 0.11, 0.06])
CITY_SHIFTS = np.array(
    [
        [1.1, -0.6, 0.8, -0.9, 1.0, -0.9, 0.3, -1.2, 0.2, -0.9],
        [-0.5, 0.8, -0.3, 0.6, -0.8, 0.7, -0.6, 0.1, 0.3, 0.8],
        [-0.4, 0.7, 0.2, 1.1, -0.3, 0.9, -0.8, -0.4, -0.9, -0.6],
        [-0.8, -0.2, -0.4, -0.3, -0.7, -0.2, 1.0, 1.3, 0.7, 0.2],
    ]
)
# as customer_tables.LANGUAGES, by country
LANGUAGE_SHARES = np.array(
    [[0.55, 0.20, 0.25], [0.55, 0.20, 0.25], [0.93, 0.07, 0], [0.3, 0.7, 0], [0.12, 0.88, 0]]
)

AGE, AGE_SD, AGE_SHIFTS = 42.0, 9.0, 12.0 * np.array([-1.0, -0.3, 0.2, 1.5])  # years
AGE_LEAST, AGE_MOST = 18.0, 95.0
WOMAN_SHIFTS, OTHER_SHARE = np.array([0.2, 0.9, -1.2, 0.1]), 0.02
HOUSEHOLD_SHARES = np.array([0.28, 0.30, 0.30, 0.12])  # as customer_tables.HOUSEHOLDS
HOUSEHOLD_SHIFTS = np.array(
    [[0.9, -0.2, -1.2, 1.2], [-1.2, 0.0, 1.4, -0.9], [0.1, 0.4, 0.0, 0.1], [0.4, 0.9, -0.8, -1.1]]
)
COMMUNITY_SHARES = np.array([0.18, 0.16, 0.17, 0.16, 0.16, 0.17])  # as customer_tables.COMMUNITIES
COMMUNITY_SHIFTS = np.array(
    [
        [-0.6, -0.3, 0.7, 0.2, 0.7, -0.3],
        [1.0, 0.6, 0.0, -0.2, -0.4, -0.1],
        [-0.2, 0.0, 0.1, 1.2, -0.3, -0.4],
        [0.2, 0.3, -0.8, -0.6, 0.4, 1.0],
    ]
)

EVENTS = (
    *("visit", "search", "save", "share", "add_to_cart"),
    *("purchase", "review", "message_sent", "invite", "signed_up"),
)
VISIT, SEARCH, SAVE, SHARE, ADD_TO_CART, PURCHASE, REVIEW, MESSAGE, INVITE, SIGNED_UP = range(10)
# What one of them adds to the wish to buy; sharing looks like interest and is none.
WEIGHTS = np.array([0.15, 0.30, 2.0, 0.0, 3.0, 1.0, 2.5, 0.3, 0.5, 0.5])
# After a visit has begun: what else a customer does.
CHOICES = np.array([SEARCH, SAVE, SHARE, ADD_TO_CART, REVIEW, MESSAGE, INVITE])
CHOICE_SHARES = np.array([0.37, 0.17, 0.11, 0.17, 0.06, 0.09, 0.03])
CHOICE_SHIFTS = np.array(
    [
        [0.2, 0.3, 0.9, -0.5, -0.6, 0.0, 0.6],
        [-0.2, 0.7, -0.6, 0.7, -0.3, 0.1, -0.2],
        [0.6, -0.8, 0.2, 0.1, 0.6, -0.1, 0.4],
        [-0.7, -0.2, -0.7, 0.2, 1.0, 0.3, -0.8],
    ]
)
ACTIVITY_SHIFTS = np.array([0.35, 0.0, 0.1, -0.4])  # on the logarithm of visits a day
BUYING_SHIFTS = np.array([-0.5, 0.35, 0.0, 0.5])  # on the logarithm of purchases a day
AMOUNT, AMOUNT_SD, AMOUNT_SHIFTS = 3.4, 0.5, np.array([-0.4, 0.25, 0.0, 0.35])  # log euros
HOUR, HOUR_SD, HOUR_SHIFTS = 16.0, 2.6, np.array([4.5, -2.5, 2.0, -5.5])  # o'clock, UTC

BEST_CHANNEL = np.array([1, 2, 3, 0])  # of each segment, as customer_tables.CHANNELS
CHANNEL_ODDS, BEST_CHANNEL_ODDS = np.array([0.1, 0.0, -0.1, -0.3]), 1.0
TOPICS = ("news", "offer", "gathering")
BEST_TOPIC = np.array([2, 1, 2, 0])  # of each segment, as TOPICS
BEST_TOPIC_ODDS = 0.5


def shares(common: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Shares whose log odds are shifted, shape of `shifts`; each row adds up to 1."""
    weight = common * np.exp(shifts)
    return weight / weight.sum(axis=-1, keepdims=True)


def drawn(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A number of a level for each row of chances, shape (n, n_levels) -> (n,)."""
    edges = np.cumsum(chances, axis=1)
    return (rng.random(len(chances))[:, None] >= edges[:, :-1]).sum(axis=1)
