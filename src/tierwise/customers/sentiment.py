"""The chance that a short message is negative, for English and Russian, without any network.

    negative     its writer is displeased with us or with what we do: a complaint, anger, mockery.
                 A question about a fault, or praise that mentions one, is not negative.
    chance       calibrated for messages of which `negative_share` are negative, see `trained`
    threshold    the chance from which on a message counts as negative

One model per language: logistic regression of words (one and two in a row), of parts of words (two
to five letters), each by TF-IDF, and of the three sums of `sentiment_rules`. It learns within
seconds from labelled texts: a small set that comes with this package and was written for it, and
your own, which are worth far more. Nothing is stored, so no words of customers leave the run.

What it can't do: see what is meant behind friendly words (mockery, bitter politeness), know what a
customer refers to, or follow a text longer than MOST_LETTERS. Other languages are not judged: such
messages have no chance (NaN) and count nowhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit, logit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from tierwise.customers import sentiment_rules
from tierwise.files import InputError

LANGUAGES = ("en", "ru")
LABELS = ("negative", "neutral", "positive")
COLUMNS = ["language", "label", "text"]
TEXTS = Path(__file__).parent / "sentiment_texts"
MOST_LETTERS = 1000  # of a text; what comes later is not read
FEWEST = 20  # negative ones, and others, per language
FOLDS, SEED = 5, 20240229
STRENGTH = 3.0  # inverse of the penalty
NEARLY_ONE = 1 - 1e-9
MOST_WORDS = 60
LEAST_LOST = 0.25  # of log odds, for a word to be named
LATIN, CYRILLIC = re.compile(r"[A-Za-zÀ-ɏ]"), re.compile(r"[\u0400-\u04ff]")
NOT_RUSSIAN = re.compile(r"[іїєґўәғқңөұүһ]", re.IGNORECASE)  # Ukrainian, Belarusian, Kazakh
NOT_RUSSIAN_SHARE = 0.02
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Tongue:
    """The model of one language. unseen: by the index of the labelled texts, chance by models that
    did not see the text, and negative (bool)."""

    words: TfidfVectorizer
    parts: TfidfVectorizer
    model: LogisticRegression
    slope: float
    offset: float
    unseen: pd.DataFrame


@dataclass(frozen=True)
class Model:
    """Tongues by language, and what they were told."""

    tongues: dict[str, Tongue]
    negative_share: float
    threshold: float


def seed() -> pd.DataFrame:
    """The labelled texts of this package to learn from: language, label, text."""
    return labelled(TEXTS / "seed.csv")


def sample() -> pd.DataFrame:
    """Labelled texts that nothing learns from: language, label, text, kind.

    kind: plain, negated (good words turned bad or bad ones good), mocking, mixed (two languages).
    """
    return labelled(TEXTS / "sample.csv")


def to_learn_from(path: Path | None = None) -> pd.DataFrame:
    """Those of `seed`, and your own from a CSV file: language, label, text, own (bool)."""
    parts = [seed().assign(own=False)]
    parts += [labelled(path).assign(own=True)] if path else []
    return pd.concat(parts, ignore_index=True)[[*COLUMNS, "own"]]


def labelled(path: Path) -> pd.DataFrame:
    """Texts with their labels from a CSV file. Raises InputError for what can't be used."""
    if not path.is_file():
        raise InputError(f"{path} is missing. Write a CSV file with {', '.join(COLUMNS)}, or null.")
    found = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise InputError(f"{path} needs the column {', '.join(missing)}; see {TEXTS / 'seed.csv'}.")
    for name, allowed in (("language", LANGUAGES), ("label", LABELS)):
        wrong = ~found[name].isin(allowed)
        if wrong.any():
            raise InputError(
                f"{path}: {name} must be one of {', '.join(allowed)}; line "
                f"{int(np.argmax(wrong)) + 2} has {found[name][wrong].iloc[0]!r}. Correct it."
            )
    return found


def trained(texts: pd.DataFrame, negative_share: float = 0.2, threshold: float = 0.5) -> Model:
    """Learn from labelled texts: language, label, text.

    negative_share: what share of your messages is negative, 0 to 1; those labelled are often
    chosen and say nothing of it. If it is 0.1 and not 0.2, true chances are about half as large.
    Raises InputError where a language has fewer than FEWEST texts of a side.
    """
    for name, value in (("negative_share", negative_share), ("threshold", threshold)):
        if not 0 < value < 1:
            raise InputError(f"{name} must be above 0 and below 1, not {value}. Correct it.")
    tongues = {}
    for language in LANGUAGES:
        rows = texts[texts["language"] == language]
        negative = (rows["label"] == "negative").to_numpy()
        if min(negative.sum(), (~negative).sum()) < FEWEST:
            raise InputError(
                f"'{language}' has {int(negative.sum())} negative and {int((~negative).sum())} "
                f"other labelled texts; it takes {FEWEST} of each. Label more."
            )
        tongue = learned(list(rows["text"]), negative, language, negative_share)
        tongue.unseen.index = rows.index
        tongues[language] = tongue
    return Model(tongues, negative_share, threshold)


def learned(texts: list[str], negative: np.ndarray, language: str, negative_share: float) -> Tongue:
    """One language: scores of texts left out in turn tell what a score is worth (Platt 1999)."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    unseen = np.empty(len(texts))
    for known, left in folds.split(unseen, negative):
        words, parts, model = fitted([texts[at] for at in known], negative[known], language)
        rows = columns(words, parts, [texts[at] for at in left], language)
        unseen[left] = model.decision_function(rows)
    weight = np.where(
        negative, negative_share / negative.mean(), (1 - negative_share) / (1 - negative.mean())
    )
    curve = LogisticRegression(C=np.inf).fit(unseen[:, None], negative, weight)
    slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    table = pd.DataFrame({"chance": expit(slope * unseen + offset), "negative": negative})
    return Tongue(*fitted(texts, negative, language), slope, offset, table)


def fitted(
    texts: list[str], negative: np.ndarray, language: str
) -> tuple[TfidfVectorizer, TfidfVectorizer, LogisticRegression]:
    clean = [plain(text) for text in texts]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(clean)
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True).fit(clean)
    model = LogisticRegression(C=STRENGTH, max_iter=2000)
    return words, parts, model.fit(columns(words, parts, texts, language), negative)


def columns(
    words: TfidfVectorizer, parts: TfidfVectorizer, texts: Sequence[str], language: str
) -> sparse.csr_matrix:
    """Shape (n_texts, n_words + n_parts + 3)."""
    clean = [plain(text) for text in texts]
    rules = sentiment_rules.features([text[:MOST_LETTERS] for text in texts], language)
    return sparse.hstack(
        [words.transform(clean), parts.transform(clean), sparse.csr_matrix(rules)]
    ).tocsr()


def plain(text: str) -> str:
    """As the columns of words see it: the beginning, in small letters."""
    return text[:MOST_LETTERS].lower().replace("ё", "е")


def spoken_in(text: str, language: str) -> str:
    """The language by which a text is judged: en or ru by its letters, "" for not at all.

    language: as the message says. A Russian who writes English is judged by English, a text of two
    languages by the one with more letters; one without letters needs an emoticon that we know.
    """
    if language not in LANGUAGES:
        return ""
    start = text[:MOST_LETTERS]
    letters = len(LETTER.findall(start))
    latin, cyrillic = len(LATIN.findall(start)), len(CYRILLIC.findall(start))
    if not letters:
        faces = sentiment_rules.SAD.search(start) or sentiment_rules.GLAD.search(start)
        return language if faces else ""
    if 2 * max(latin, cyrillic) < letters:
        return ""
    if latin > cyrillic:
        return "en"
    foreign = len(NOT_RUSSIAN.findall(start))
    return "" if foreign > NOT_RUSSIAN_SHARE * letters else "ru"


def chances(model: Model, texts: pd.Series, languages: pd.Series) -> np.ndarray:
    """The chance of each text to be negative, shape (n_texts,); NaN: not judged.

    Equal texts are judged once. languages: as the messages say, see `spoken_in`.
    """
    found = np.full(len(texts), np.nan)
    frame = pd.DataFrame({"text": texts.to_numpy(), "language": languages.to_numpy()})
    once = frame.drop_duplicates()
    pairs = zip(once["text"], once["language"], strict=True)
    spoken = np.array([spoken_in(text, language) for text, language in pairs], dtype=object)
    chance = np.full(len(once), np.nan)
    for language, tongue in model.tongues.items():
        rows = np.flatnonzero(spoken == language)
        if len(rows):
            chance[rows] = judged(tongue, list(once["text"].iloc[rows]), language)
    keys = list(zip(once["text"], once["language"], strict=True))
    place = dict(zip(keys, chance, strict=True))
    for at, key in enumerate(zip(frame["text"], frame["language"], strict=True)):
        found[at] = place[key]
    return found


def judged(tongue: Tongue, texts: list[str], language: str) -> np.ndarray:
    score = tongue.model.decision_function(columns(tongue.words, tongue.parts, texts, language))
    return np.asarray(expit(tongue.slope * score + tongue.offset))


def reasons(model: Model, text: str, language: str, most: int = 3) -> list[str]:
    """The words without which the text would sound least negative, the heaviest first.

    Each of the first MOST_WORDS words is left out in turn (Li, Monroe and Jurafsky, "Understanding
    neural networks through representation erasure", arXiv 1612.08220); those that matter little are
    not named.
    """
    spoken = spoken_in(text, language)
    tokens = text[:MOST_LETTERS].split()[:MOST_WORDS]
    if not spoken or len(tokens) < 2:
        return []
    without = [" ".join(tokens[:at] + tokens[at + 1 :]) for at in range(len(tokens))]
    chance = judged(model.tongues[spoken], [" ".join(tokens), *without], spoken)
    odds = logit(np.clip(chance, 1 - NEARLY_ONE, NEARLY_ONE))
    lost = odds[0] - odds[1:]
    order = np.argsort(-lost, kind="stable")[:most]
    return [bare(tokens[at]) for at in order if lost[at] > LEAST_LOST]


def bare(token: str) -> str:
    """A word without the marks around it; an emoticon as it is."""
    return token.strip(".,!?…:;\"'()«»“”") if LETTER.search(token) else token
