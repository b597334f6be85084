"""Chances of short messages to be negative: what must hold, and how good they are on other texts."""

import re
import time

import numpy as np
import pandas as pd
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from critic_worlds import model
from tierwise.customers import sentiment, sentiment_measured, sentiment_rules, sentiment_words
from tierwise.files import InputError
from tierwise.simulation import customer_phrases


def chance(*texts, language="en"):
    return sentiment.chances(model(), pd.Series(texts), pd.Series([language] * len(texts)))


def test_texts_that_it_never_saw_are_told_apart_in_both_languages():
    found = sentiment_measured.held_out(model(), sentiment.sample()).set_index("language")
    assert found.loc["en", "auc"] > 0.78
    assert found.loc["ru", "auc"] > 0.80
    assert (found["precision"] > 0.8).all()
    assert (found["recall"] > 0.4).all()
    assert (found["auc_low"] < found["auc"]).all()
    assert (found["auc"] < found["auc_high"]).all()


def test_the_sample_is_large_balanced_and_holds_what_is_hard():
    sample = sentiment.sample()
    assert len(sample) >= 300
    assert sample.groupby(["language", "label"]).size().min() >= 50
    counts = sample["kind"].value_counts()
    assert set(counts.index) == {"plain", "negated", "mocking", "mixed"}
    assert counts["mocking"] >= 20
    assert counts["negated"] >= 30


def test_no_text_is_both_learned_from_and_judged():
    assert not set(sentiment.seed()["text"]) & set(sentiment.sample()["text"])
    assert not sentiment.seed()["text"].duplicated().any()


def fours(text):
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + 4]) for at in range(len(words) - 3)}


def test_labelled_texts_are_not_taken_from_the_simulated_customers():
    """Four words in a row in common: none, whatever the feeling."""
    said = set()
    for one in (customer_phrases.ENGLISH, customer_phrases.RUSSIAN):
        patterns = [part for feeling in one.patterns for text in feeling for part in split(text)]
        for text in [*patterns, *one.bad, *one.good, *(end for ends in one.ends for end in ends)]:
            said |= fours(text)
    texts = pd.concat([sentiment.seed(), sentiment.sample()])["text"]
    assert len(said) > 100
    assert [text for text in texts if fours(text) & said] == []


def split(pattern):
    return re.split(r"\{\w+\}", pattern)


def test_chances_are_calibrated_to_the_share_that_was_given():
    """The weighted mean of unseen chances is that share: what an unpenalised fit promises."""
    for tongue in model().tongues.values():
        negative, unseen = tongue.unseen["negative"], tongue.unseen["chance"]
        mean = 0.2 * unseen[negative].mean() + 0.8 * unseen[~negative].mean()
        assert mean == pytest.approx(0.2, abs=1e-3)


def test_a_smaller_share_of_negative_texts_makes_all_chances_smaller_and_changes_no_score():
    """And training twice gives the same to the last digit."""
    rare = sentiment.trained(sentiment.to_learn_from(), negative_share=0.05)
    text, language = sentiment.sample()["text"], sentiment.sample()["language"]
    usual, small = (sentiment.chances(one, text, language) for one in (model(), rare))
    judged = ~np.isnan(usual)
    assert (small[judged] < usual[judged]).all()
    for name, tongue in model().tongues.items():
        assert np.array_equal(tongue.model.coef_, rare.tongues[name].model.coef_)


@pytest.mark.parametrize(
    ("worse", "better", "language"),
    [
        ("the food was bad", "the food was not bad", "en"),
        ("I am happy with the repair :(", "I am happy with the repair :)", "en"),
        ("the staff was not friendly", "the staff was friendly", "en"),
        ("a very rude driver", "a polite driver", "en"),
        ("еда была плохая", "еда была неплохая", "ru"),
        ("мне не понравилось", "мне понравилось", "ru"),
        ("доволен ремонтом :(", "доволен ремонтом :)", "ru"),
        ("водитель хам", "вежливый водитель", "ru"),
    ],
)
def test_negations_emoticons_and_words_move_a_chance_the_right_way(worse, better, language):
    high, low = chance(worse, better, language=language)
    assert high > low


@pytest.mark.parametrize(
    "text", ["Where can I report a broken window?", "Как вернуть неисправный товар?"]
)
def test_a_question_about_a_fault_is_no_complaint(text):
    assert chance(text, language="ru" if re.search("[а-я]", text) else "en")[0] < 0.5


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Die Lieferung war eine Zumutung", "de"),
        ("terrible", "de"),
        ("", "en"),
        ("12345 !!!", "en"),
        ("מתי תגיע ההזמנה שלי", "en"),
        ("Дуже поганий сервіс, я їм більше не вірю", "ru"),
        ("Қызмет өте нашар болды, ұнамады", "ru"),
        ("配送很慢", "en"),
    ],
)
def test_other_languages_and_texts_without_words_are_not_judged(text, language):
    assert np.isnan(chance(text, language=language)[0])


def test_letters_decide_between_english_and_russian():
    text = "Ваш курьер нахамил мне"
    assert chance(text, language="en")[0] == chance(text, language="ru")[0]
    assert sentiment.spoken_in("Support ужасный, всё плохо", "en") == "ru"
    assert sentiment.spoken_in("Your delivery это terrible experience", "ru") == "en"
    assert sentiment.spoken_in("😡😡", "ru") == "ru"


def test_order_and_neighbours_of_a_text_are_of_no_account():
    sample = sentiment.sample()
    at_once = sentiment.chances(model(), sample["text"], sample["language"])
    mixed = sample.sample(frac=1, random_state=3)
    again = sentiment.chances(model(), mixed["text"], mixed["language"])
    assert np.allclose(at_once[mixed.index], again, rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("text", [*customer_phrases.HOSTILE, "a " * 90_000, "\x00", "((((" * 9000])
def test_hostile_texts_are_judged_quickly_or_not_at_all(text):
    began = time.process_time()
    for language in ("en", "ru"):
        found = chance(text, language=language)[0]
        assert np.isnan(found) or 0 < found < 1
        assert len(sentiment.reasons(model(), text, language)) <= 3
    assert time.process_time() - began < 3


def test_only_the_beginning_of_a_long_text_is_read():
    start = "the staff was friendly " * 60
    assert chance(start)[0] == chance(start + "but rude and awful" * 500)[0]


def test_without_the_words_that_weigh_most_a_text_sounds_less_negative():
    text = "The driver was rude, and my parcel is damaged"
    words = sentiment.reasons(model(), text, "en")
    assert "rude" in words
    assert "damaged" in words
    for word in words:
        assert chance(text)[0] > chance(text.replace(word, ""))[0]
    assert sentiment.reasons(model(), "fine", "en") == []


def test_own_labels_are_learned_and_measured_apart(tmp_path):
    lines = ["language,label,text"]
    lines += [f"en,negative,the grumblewidget number {n} came today" for n in range(30)]
    lines += [f"en,neutral,the quietwidget number {n} came today" for n in range(30)]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    texts = sentiment.to_learn_from(path)
    learned = sentiment.trained(texts)
    news = pd.Series(["my grumblewidget came", "my quietwidget came"])
    before, after = (
        sentiment.chances(one, news, pd.Series(["en", "en"])) for one in (model(), learned)
    )
    assert after[0] > 0.5 > after[1]
    assert abs(before[0] - before[1]) < 0.2
    own = sentiment_measured.own_labels(learned, texts)
    assert list(own["texts_count"]) == [60]
    assert own["auc"][0] == 1.0
    assert sentiment_measured.own_labels(model(), sentiment.to_learn_from()) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\nhello,neutral\n", "needs the column language"),
        ("language,label,text\nen,neutral,a\nen,bad,b\n", "line 3 has 'bad'"),
        ("language,label,text\nde,neutral,a\n", "language must be one of en, ru"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        sentiment.labelled(path)
    with pytest.raises(InputError, match="is missing"):
        sentiment.labelled(tmp_path / "none.csv")


def test_too_few_labels_and_impossible_numbers_are_refused():
    with pytest.raises(InputError, match="it takes 20 of each"):
        sentiment.trained(sentiment.seed().head(30))
    for wrong in ({"negative_share": 0.0}, {"threshold": 1.0}):
        with pytest.raises(InputError, match="must be above 0 and below 1"):
            sentiment.trained(sentiment.seed(), **wrong)


def test_english_rules_are_vaders_where_our_words_do_not_occur():
    vader = SentimentIntensityAnalyzer()
    ours = {word for text in sentiment_words.ENGLISH_WORDS.values() for word in text.split()}
    texts = [
        t for t in sentiment.sample()["text"] if not ours & set(re.findall(r"[\w-]+", t.lower()))
    ]
    found = sentiment_rules.features(texts, "en")
    expected = [[vader.polarity_scores(text)[name] for name in ("neg", "pos", "compound")]
                for text in texts]  # fmt: skip
    assert len(texts) > 100
    assert np.array_equal(found, expected)


def test_russian_rules_follow_the_longest_beginning_of_a_word():
    assert sentiment_rules.valence("рада") > 0 == sentiment_rules.valence("радио")
    assert sentiment_rules.valence("ужасный") == sentiment_rules.valence("ужасно") == -3
    assert sentiment_rules.valence("мошенниками") < 0
    assert sentiment_rules.valence("стол") == 0


def test_russian_rules_turn_with_a_negation_and_weigh_what_comes_after_but():
    balance = [sentiment_rules.russian(text)[2] for text in ("хорошо", "не хорошо", "очень хорошо")]
    assert balance[1] < 0 < balance[0] < balance[2]
    last_good = sentiment_rules.russian("доставка плохая, но качество хорошее")[2]
    last_bad = sentiment_rules.russian("качество хорошее, но доставка плохая")[2]
    assert last_bad < 0 < last_good


def test_no_russian_word_is_both_good_and_bad():
    starts, whole = sentiment_rules.lists()
    listed = [
        {one.rstrip(".").replace("ё", "е") for text in part.values() for one in text.split()}
        for part in (sentiment_words.BAD_WORDS, sentiment_words.GOOD_WORDS)
    ]
    assert not listed[0] & listed[1]
    assert len(starts) + len(whole) > 400


def test_wider_thresholds_find_less_and_are_righter():
    table = sentiment_measured.by_threshold(model(), sentiment.sample())
    for _, rows in table.groupby("language"):
        assert rows["recall"].is_monotonic_decreasing
        assert rows["precision"].iloc[-1] > rows["precision"].iloc[0]


def test_mockery_is_named_as_what_it_misses():
    table = sentiment_measured.kinds(model(), sentiment.sample())
    rows = table.set_index(["kind", "label"])["taken_for_negative_share"]
    assert rows["mocking", "negative"] < rows["plain", "negative"]
    assert rows["plain", "other"] < 0.1
