"""Of what the messages of simulated customers are made, in three languages.

A sentence is a pattern with places: {thing} of the shop, {good} and {bad} that fit any thing,
{item} that was bought, {number}. Patterns of one feeling use words of the other, too: "no
complaints, {thing} {good}" is praise, "great, {thing} {bad}" is none.
"""

from dataclasses import dataclass

NEGATIVE, NEUTRAL, POSITIVE = range(3)
FEELINGS = ("negative", "neutral", "positive")
Texts = tuple[str, ...]


@dataclass(frozen=True)
class Language:
    """patterns and ends by feeling, in the order of FEELINGS; numbers that fit all patterns."""

    things: Texts
    items: Texts
    bad: Texts
    good: Texts
    openings: Texts
    patterns: tuple[Texts, Texts, Texts]
    ends: tuple[Texts, Texts, Texts]
    numbers: Texts


SMILEYS: tuple[Texts, Texts, Texts] = (
    (":(", "😡", "👎", ":-/"),
    ("🙂", "🤔"),
    (":)", "😍", "👍", "❤️"),
)

ENGLISH = Language(
    things=(
        *("the delivery", "the app", "the search", "your support", "the checkout", "the website"),
        *("the size chart", "the parcel service", "the refund", "the loyalty programme"),
        *("the new layout", "the packaging", "the chat", "the quality", "the newsletter"),
    ),
    items=(
        *("a lamp", "two shirts", "a kettle", "running shoes", "a blanket", "a present"),
        *("a jacket", "plates", "a tent", "some books", "a bag", "curtains"),
    ),
    bad=(
        *("is a mess", "does not work", "let me down again", "drives me mad", "was late again"),
        *("is worse than last month", "was a disappointment", "is broken once more"),
        *("takes forever", "is useless", "makes no sense at all", "is far too slow"),
        *("fails every single time", "is beyond annoying", "is not what you promise"),
        *("costs me hours", "got worse with each update", "is a joke"),
    ),
    good=(
        *("works like a charm", "is great", "made my day", "is better than ever", "is so easy"),
        *("was quick", "is a pleasure", "is just what I needed", "never lets me down"),
        *("surprised me in a good way", "is worth every cent", "beats all others", "runs smoothly"),
        *("is lovely", "got much better", "was on time as always"),
    ),
    openings=(
        *("Hi,", "Hello,", "Dear team,", "Hey,", "Good morning,", "To whom it may concern,"),
    ),
    patterns=(
        (
            *("{Thing} {bad}.", "{Thing} {bad}. {Thing} {bad} as well."),
            *("Why is it that {thing} {bad}?", "I ordered {item} and {thing} {bad}."),
            *("Great, {thing} {bad}. Well done.", "{Item}: never again."),
            "I used to love it here, but {thing} {bad}.",
            "For {number} weeks now {thing} {bad}.",
            *("It is the {number}th time that {thing} {bad}.", "Do not buy here, {thing} {bad}."),
            *("Nobody cares that {thing} {bad}.", "I paid for {item} and got nothing but excuses."),
            "Others say {thing} {good}. Not for me: it {bad}.",
            *("How hard can it be to send {item}?", "{Item} came damaged and {thing} {bad}."),
            "I hoped for help, but {thing} {bad}.",
        ),
        (
            *("How can I change my address?", "Do you have {item} in blue?"),
            *("I have ordered {item}.", "When will {item} be sent?"),
            *("My order has {number} parts.", "Where do I find {thing}?"),
            *("I moved, please send {item} to the new address.", "Is {thing} open on Sunday?"),
            *("Where can I report a broken link?", "{Thing} is neither good nor bad."),
            *("I have a question about {thing}.", "Can I return {item} within {number} days?"),
            *("Please add {item} to order {number}.", "Does {thing} exist in German, too?"),
            "I would like an invoice for {item}.",
            "I compared {number} shops before I chose {item}.",
        ),
        (
            *("{Thing} {good}.", "{Thing} {good}, and {thing} {good}."),
            *("I bought {item} and {thing} {good}.", "No complaints, {thing} {good}."),
            *("Not bad at all: {thing} {good}.", "My whole family thinks {thing} {good}."),
            *("I was afraid of problems, but {thing} {good}.", "{Item} is just beautiful."),
            *("I told {number} friends that {thing} {good}.", "Once more {thing} {good}."),
            *("I never write reviews, but {thing} {good}.", "We use {item} every day and love it."),
            *("Last year it was a mess, today {thing} {good}.", "Best shop for {item}."),
        ),
    ),
    ends=(
        (
            *("Nobody answers.", "I want my money back.", "Third time now.", "I am done."),
            *("Sort it out!", "Not acceptable.", "I will tell everybody.", "Shame on you."),
            *("Still waiting.", "Thanks for nothing."),
        ),
        (
            *("Thanks.", "Kind regards", "Please let me know.", "No hurry.", "Just asking."),
        ),
        (
            *("Thank you!", "Keep it up!", "I will come again.", "Five stars.", "Well done."),
            *("So happy.", "Highly recommended.", "Thanks a lot."),
        ),
    ),
    numbers=("4", "5", "6", "7", "8", "14"),
)  # fmt: skip

RUSSIAN = Language(
    things=(
        *("доставка", "приложение", "поиск", "поддержка", "оплата", "сайт", "таблица размеров"),
        *("курьерская служба", "возврат", "бонусная программа", "новый дизайн", "упаковка", "чат"),
        *("качество", "рассылка"),
    ),
    items=(
        *("лампу", "две рубашки", "чайник", "кроссовки", "плед", "подарок", "куртку", "тарелки"),
        *("палатку", "книги", "сумку", "шторы"),
    ),
    bad=(
        *("не работает", "опять подводит", "только злит", "никуда не годится", "раздражает"),
        *("работает хуже, чем раньше", "снова тормозит", "просто ужас", "одно разочарование"),
        *("вечно с опозданием", "сплошной обман", "каждый раз с ошибкой", "отнимает часы"),
        *("не соответствует обещаниям", "становится только хуже", "это издевательство"),
    ),
    good=(
        *("работает отлично", "радует", "всё лучше и лучше", "никогда не подводит", "просто супер"),
        *("нравится мне всё больше", "выручает каждый раз", "на высоте", "приятно удивляет"),
        *("стоит своих денег", "работает быстро и удобно", "лучше, чем у других", "без нареканий"),
    ),
    openings=(
        *("Здравствуйте,", "Добрый день,", "Привет,", "Уважаемая команда,", "Доброе утро,"),
    ),
    patterns=(
        (
            *("{Thing} {bad}.", "{Thing} {bad}. И {thing} {bad}.", "Почему {thing} {bad}?"),
            *("Заказал {item}, и {thing} {bad}.", "Прекрасно, {thing} {bad}. Молодцы."),
            "Раньше мне здесь нравилось, а теперь {thing} {bad}.",
            *("Уже {number} недели {thing} {bad}.", "В {number}-й раз {thing} {bad}."),
            *("Не покупайте здесь, {thing} {bad}.", "Никому нет дела до того, что {thing} {bad}."),
            "Заплатил за {item}, а получил отговорки.",
            *("Другие пишут, что {thing} {good}. Не верьте: {bad}.", "Сколько можно ждать {item}?"),
            *("Привезли {item} с браком, {thing} {bad}.", "Надеялся на помощь, но {thing} {bad}."),
        ),
        (
            *("Как изменить адрес?", "Есть ли у вас что-то похожее на {item}?"),
            *("Я заказал {item}.", "Когда отправят {item}?", "В моём заказе {number} позиции."),
            *("Где найти раздел «{thing}»?", "Я переехал, пришлите {item} на новый адрес."),
            *("Куда сообщить о нерабочей ссылке?", "{Thing} ни хорошо, ни плохо."),
            *("У меня вопрос: {thing}.", "Добавьте {item} в заказ {number}."),
            *("Можно ли вернуть {item} в течение {number} дней?", "Нужен счёт за {item}."),
            "Сравнил {number} магазина, прежде чем выбрать {item}.",
            "Работает ли чат в воскресенье?",
        ),
        (
            *("{Thing} {good}.", "{Thing} {good}, и {thing} {good}."),
            *("Купил {item}, {thing} {good}.", "Жаловаться не на что, {thing} {good}."),
            *("Совсем не плохо: {thing} {good}.", "Боялся проблем, но {thing} {good}."),
            "Вся семья говорит, что {thing} {good}.",
            *("Рассказал {number} друзьям, что {thing} {good}.", "И снова {thing} {good}."),
            "Никогда не пишу отзывы, но {thing} {good}.",
            "Год назад был ужас, а сейчас {thing} {good}.",
            *("Лучший магазин, чтобы купить {item}.", "Взял {item} и очень доволен."),
        ),
    ),
    ends=(
        (
            *("Никто не отвечает.", "Верните деньги.", "Третий раз уже.", "С меня хватит."),
            *("Разберитесь!", "Это неприемлемо.", "Всем расскажу.", "Стыдно должно быть."),
            *("До сих пор жду.", "Спасибо, не надо."),
        ),
        (
            *("Спасибо.", "С уважением", "Буду ждать ответа.", "Не срочно.", "Просто интересно."),
        ),
        (
            *("Спасибо вам!", "Так держать!", "Приду ещё.", "Пять звёзд.", "Молодцы."),
            *("Очень доволен.", "Всем советую.", "Большое спасибо."),
        ),
    ),
    numbers=("2", "3", "4"),
)  # fmt: skip

GERMAN = Language(
    things=(
        *("die Lieferung", "die App", "die Suche", "der Kundendienst", "die Kasse", "die Seite"),
        *("der Paketdienst", "die Erstattung", "das Bonusprogramm", "die Verpackung", "der Chat"),
    ),
    items=(
        *("eine Lampe", "zwei Hemden", "ein Zelt", "Teller", "eine Jacke", "ein Geschenk"),
    ),
    bad=(
        *("ist eine Zumutung", "funktioniert nicht", "war wieder zu langsam"),  # codespell:ignore
        *("macht nur Probleme", "ist schlechter als vorher"),  # codespell:ignore
        *("war eine Frechheit", "kostet mich Stunden"),
        *("ist schon wieder kaputt", "bringt gar nichts"),  # codespell:ignore
    ),
    good=(
        *("klappt wunderbar", "ist super", "war schnell", "wird immer besser"),  # codespell:ignore
        *("macht Freude", "ist jeden Cent wert"),  # codespell:ignore
        *("hat mich nie im Stich gelassen", "ist einfach und gut"),  # codespell:ignore
    ),
    openings=("Hallo,", "Guten Tag,", "Liebes Team,", "Guten Morgen,"),
    patterns=(
        (
            *("{Thing} {bad}.", "Warum? {Thing} {bad}.", "Toll, {thing} {bad}. Bravo."),
            *("Seit {number} Wochen: {thing} {bad}.", "Kauft hier nicht, {thing} {bad}."),
            *("{Item} kam zerbrochen an.", "Ich warte noch immer auf mein Geld, {thing} {bad}."),
        ),
        (
            "Wie kann ich meine Adresse {number} Tage vor dem Versand ändern?",  # codespell:ignore
            *("Gibt es das in Blau?", "Bestellt: {item}."),
            "Wo kann ich einen kaputten Link melden?",
            "Wo finde ich das: {thing}?",  # codespell:ignore
            *("Ich brauche eine Rechnung: {item}.", "Bitte an die neue Anschrift: {item}."),
        ),
        (
            *("{Thing} {good}.", "Keine Klagen, {thing} {good}."),
            *("Gar nicht schlecht: {thing} {good}.", "{Item} gekauft, {thing} {good}."),
            "Ich hatte Bedenken, aber {thing} {good}.",
            *("{Number} Freunde sagen es auch: {thing} {good}.", "Bester Laden weit und breit."),
        ),
    ),
    ends=(
        (
            *("Niemand antwortet.", "Ich will mein Geld.", "Nie wieder!", "Es reicht."),
            "Danke für nichts.",
        ),
        ("Danke.", "Viele Grüße", "Hat keine Eile.", "Nur eine Frage."),
        (
            *("Danke!", "Weiter so!", "Gerne wieder.", "Sehr zufrieden.", "Fünf Sterne."),
        ),
    ),
    numbers=("3", "5", "7", "12"),
)  # fmt: skip

LANGUAGES = (ENGLISH, RUSSIAN, GERMAN)  # as customer_tables.LANGUAGES

# Markup, formulas, text from right to left, emoji, line breaks, paths, and very long ones.
HOSTILE = (
    "<script>alert('message')</script> How can I change my address?",
    '=HYPERLINK("http://127.0.0.1/","my order")',
    "\u202eמתי תגיע ההזמנה שלי?\u202c متى يصل طلبي؟",
    "👩\u200d👩\u200d👧\u200d👦 🇪🇺 🏳️\u200d🌈 \u200b\u2066?\u2069",
    "<img src=x onerror=alert(1)> <b>order</b> &amp; &lt;address&gt;",
    "+49 170 0000000\r\n-- \r\n@SUM(A1:A9)\tsent from my phone",
    "{{ 7 * 7 }} ${HOME} %s %n ../../order'; DROP TABLE messages; --",
    "[invoice](javascript:alert(1)) | **order** `x` ```\n# order",
    "When will it be sent? " * 900,
    "о" * 6000,
    "Z̸͓̈́a̷͎͋l̵̰̈́g̶̻̽o̵̹͝ o̷r̵d̶e̸r̷",
)
