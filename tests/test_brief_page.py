"""The page of a brief: all of it text, nothing loaded, every number linked to its record."""

import copy
import re
from html.parser import HTMLParser

import pytest

import brief_world as bw
from tierwise.briefs import brief as briefs
from tierwise.briefs import page as brief_page
from tierwise.briefs.statements import NAME_MAX_CHARACTERS
from tierwise.calls.text import readable

HOSTILE = {
    "markup": "<script>alert('name')</script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" \'><svg/onload=alert(1)>',
    "formula": '=HYPERLINK("http://127.0.0.1/","Open")',
    "template": "{{ brief.settings }}{% raw %}",
    "turned": "\u202egnp.exe\u202c شركة الجسر",
    "emoji": "🚀 Rising 👩‍🚀 🇪🇺",
    "entity": "&lt;b&gt; &amp; Sons </title></style>]]>-->",
    "control": "Line\r\none\x00\x07two\u2028three\ud800",
    "long": "Wide " * 400,
}
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and text by the tags around it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((data, tuple(self.open)))


@pytest.fixture(scope="module")
def pages():
    return {number: brief_page.page(one) for number, one in bw.every().items()}


def full():
    """The brief with the most parts."""
    return max(
        bw.every().values(),
        key=lambda one: (one["expected"] is not None and len(one["ways"]), len(one["facts"])),
    )


def hostile_brief(text):
    """One in which every value of data is that text."""
    found, account_id = bw.world(), full()["account_id"]
    clean = text.replace("\ud800", "\ufffd")  # no table holds half a pair
    own = found["accounts"]["account_id"] == account_id
    found["accounts"].loc[own, "name"] = clean
    found["positions"]["title"] = clean
    found["positions"]["team"] = clean
    found["accounts"]["country"] = clean
    found["accounts"]["industry"] = clean
    for table, name in (("spend", "spend_id"), ("product_use", "use_id")):
        found[table][name] = clean + found[table][name].astype(str)
    spend, deciders = bw.spend(found).drop(columns="last_year_eur"), bw.deciders(found)
    spend["why"], deciders["why"] = [[text]] * len(spend), [[text, text]] * len(deciders)
    strongest = bw.strongest(found).assign(account_id=account_id, sentence=clean)
    one = briefs.prepared(found, bw.AS_OF, spend, deciders, bw.SETTINGS, strongest)
    return briefs.brief(one, account_id)


def check_harmless(text):
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "link", "base"}
    for tag, attrs in page.tags:
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "style", "xlink:href", "action")
            if name == "href":
                assert re.fullmatch(r"#(r[0-9]+|sources)", value)
    return page


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_shown_as_text_and_does_nothing(kind):
    brief = hostile_brief(HOSTILE[kind])
    page = check_harmless(brief_page.page(brief))
    plain = Page(brief_page.page(full()))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags} | {"p"}
    shown = brief["account"]["name"]
    assert len(shown) <= NAME_MAX_CHARACTERS
    assert shown.startswith(readable(HOSTILE[kind])[:100])
    assert any(data == shown and around[-2:] == ("h1", "bdi") for data, around in page.texts)
    for data, around in page.texts:
        if data == shown:
            assert around[-1] in ("bdi", "title")
    assert not re.search(
        "[\u202a-\u202e\u2066-\u2069\x00-\x08\ud800-\udfff]",
        "".join(data for data, _ in page.texts),
    )


def test_no_text_from_data_stands_in_an_attribute():
    brief = hostile_brief("zqzq")
    page = Page(brief_page.page(brief))
    assert any("zqzq" in data for data, _ in page.texts)
    assert not [attrs for _, attrs in page.tags if "zqzq" in str(attrs)]
    for data, around in page.texts:
        if "zqzq" in data:
            assert "bdi" in around or around[-1] == "title", (data, around)


def test_policy_allows_the_one_style_sheet_and_nothing_else(pages):
    text = next(iter(pages.values()))
    policy = next(
        attrs["content"]
        for tag, attrs in Page(text).tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert brief_page.styled()["style_digest"] in policy
    style = re.search("(?<=<style>).*?(?=</style>)", text, re.DOTALL).group()
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_leads_to_its_record_and_all_records_are_listed(pages):
    for number, text in pages.items():
        page = check_harmless(text)
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        links = {attrs["href"][1:] for _, attrs in page.tags if "href" in attrs}
        assert links <= set(ids)
        assert {f"r{one}" for one in bw.every()[number]["citations"]} == set(ids) - {"sources"}


def test_the_story_the_deciders_and_what_is_not_known_are_on_the_page(pages):
    for number, text in pages.items():
        told = [data for data, _ in Page(text).texts]
        brief = bw.every()[number]
        for one in [*(fact["sentence"] for fact in brief["facts"]), *brief["unknown"]]:
            assert any(one in data for data in told), one
        for one in brief["deciders"]:
            assert any(f"person {one['person_id']}" in data for data in told)
        for way in brief["ways"]:
            assert way["line"] or any(f"introduction {way['chance']:.2f}" in data for data in told)


def test_an_account_without_spend_or_people_has_a_page_that_says_so(pages):
    text = pages[max(pages)]
    assert "What this account will spend is not known." in text
    assert "Who decides there is not known." in text
    assert "Who decides, and" not in text


def test_the_same_brief_gives_the_same_bytes(tmp_path):
    brief = full()
    paths = [tmp_path / "first.html", tmp_path / "second.html"]
    for path in paths:
        brief_page.write_page(path, copy.deepcopy(brief))
    assert paths[0].read_bytes() == paths[1].read_bytes() == brief_page.page(brief).encode()


def test_what_is_drawn_lies_within_its_frame():
    for brief in bw.every().values():
        drawn = brief_page.interval(brief["expected"], brief["history"])
        if drawn:
            assert 0 <= drawn["low"] <= drawn["middle"] <= drawn["high"] <= 100
            assert 0 <= drawn["last"] <= 100
        bars = brief_page.bars(brief["history"])
        for bar in bars["drawn"] if bars else []:
            assert 0 < bar["height"] <= 40
            assert bar["y"] + bar["height"] == pytest.approx(40)
            assert bar["x"] + brief_page.BAR_WIDTH <= bars["width"]
        for fact in brief["facts"]:
            assert 5 <= brief_page.compared(fact)["at"] <= 95


def test_peers_are_described_where_there_are_any():
    brief = copy.deepcopy(full())
    brief["facts"] = brief["facts"][:1]
    brief["account"]["employees_count"] = 120
    brief["settings"]["size_bands"] = [50, 250, 1000]
    brief["facts"][0]["comparison"]["against"] = "peers"
    assert "with 50 to 249 people" in brief_page.peers(brief)
    brief["account"]["employees_count"] = 2_000
    assert "with 1,000 or more people" in brief_page.peers(brief)
    brief["facts"][0]["comparison"]["against"] = "past"
    assert brief_page.peers(brief) == ""
