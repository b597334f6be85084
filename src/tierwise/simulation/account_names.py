"""Names of simulated companies, made from words; some hurt careless programs, on purpose."""

import numpy as np

from tierwise.simulation.account_settings import AccountSettings

OUR_NAME = "Our own company"
FIRSTS = (
    *("Amber", "Arctic", "Autumn", "Blue", "Bright", "Bronze", "Cedar", "Clear", "Copper"),
    *("Coral", "Crimson", "Crystal", "Distant", "Eastern", "Ember", "Fair", "Flint", "Golden"),
    *("Granite", "Green", "Hollow", "Indigo", "Iron", "Ivory", "Jade", "Lunar", "Maple"),
    *("Marble", "Misty", "Northern", "Oaken", "Opal", "Pale", "Pearl", "Quiet", "Rapid"),
    *("Red", "Rising", "Sandy", "Scarlet", "Silent", "Silver", "Solar", "Southern", "Steel"),
    *("Still", "Sunny", "Swift", "Timber", "Violet", "Western", "White", "Wild", "Winter"),
)
SECONDS = (
    *("Anchor", "Arch", "Barn", "Beacon", "Bridge", "Brook", "Canyon", "Canvas", "Cliff"),
    *("Cloud", "Compass", "Creek", "Delta", "Dune", "Field", "Forest", "Forge", "Garden"),
    *("Gate", "Glacier", "Grove", "Harbour", "Hill", "Island", "Lake", "Lantern", "Meadow"),
    *("Mill", "Mountain", "Orchard", "Path", "Peak", "Pine", "Pond", "Prairie", "Quarry"),
    *("Reef", "Ridge", "River", "Rock", "Sail", "Shore", "Spring", "Stone", "Summit"),
    *("Tower", "Trail", "Valley", "Wagon", "Wave", "Well", "Willow", "Wind", "Wood"),
)
THIRDS = ("Group", "Works", "Partners", "Holding", "Company", "Services", "Systems", "Trading")
# Markup, formulas, text from right to left, emoji, length, quotes, line breaks, paths.
HOSTILE = (
    "<script>alert('name')</script> Works",
    '=HYPERLINK("http://127.0.0.1/","Granite Forge")',
    "\u202eشركة الجسر الأزرق\u202c Trading",
    "🚀 Rising 👩\u200d🚀 Rocket 🇪🇺 Group",
    "+49 Bridge & Sons <b>Group</b>",
    '-2+3 Stone\'s Throw "Holding"',
    "@SUM(A1:A9) Lantern Partners",
    "Very " + "long " * 120 + "Name Company",
    "{{ 7 * 7 }} ${HOME} %s ../../Meadow'; DROP TABLE accounts; --",
    "[Harbour](javascript:alert(1)) | **Works** `x`",
)


def draw_names(settings: AccountSettings, rng: np.random.Generator) -> np.ndarray:
    """Our own name and one per account, shape (accounts_count + 1,); all differ."""
    count = settings.accounts_count
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
    return np.array([OUR_NAME, *names], dtype=object)
