"""The rules of a programme in plain words, made from its numbers, so that both always agree."""

from tierwise.referrals.referral_claims import Rules
from tierwise.rewards.due import SIGN_UP, Reward

TRAIT_WORDS = {
    "device_id": "device",
    "payment_id": "means of payment",
    "visitor_id": "browser",
}


def told(rules: Rules, reward: Reward, answer_days: float, appeal_address: str) -> list[dict]:
    """title and text of each rule, in the order in which a sender asks."""
    parts = {
        "What is in it for both of you?": rewarded(reward),
        "When does a friend count?": counted(rules),
        "What if my friend knows several members?": several(rules),
        "Who does not count?": excluded(rules),
        "When is it paid?": paid(reward, answer_days),
        "How many in a year?": capped(reward),
        "What if I think that you are wrong?": (
            f"Write to {appeal_address}. A person reads it and answers within {days(answer_days)}."
        ),
    }
    return [{"title": title, "text": text} for title, text in parts.items()]


def eur(amount: float) -> str:
    """€4.00, with its cents"""
    return f"{'-' if amount < 0 else ''}€{abs(amount):,.2f}"


def days(count: float) -> str:
    return f"{count:g} day{'' if count == 1 else 's'}"


def either(words: list[str]) -> str:
    """a, b or c"""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def when(reward: Reward) -> str:
    return "signs up" if reward.paid_when == SIGN_UP else "buys for the first time"


def once(reward: Reward) -> str:
    return "signed up" if reward.paid_when == SIGN_UP else "bought for the first time"


def rewarded(reward: Reward) -> str:
    mine, theirs = eur(reward.sender_eur), eur(reward.friend_eur)
    if reward.sender_eur and reward.friend_eur:
        return f"You get {mine} and your friend gets {theirs} when your friend {when(reward)}."
    if reward.friend_eur:
        return f"Your friend gets {theirs} when they have {once(reward)}."
    if reward.sender_eur:
        return f"You get {mine} when your friend {when(reward)}."
    return "Nothing but good company: there is no reward at present."


def welcome(reward: Reward) -> str:
    """What somebody who was brought gets; "" for nothing."""
    if not reward.friend_eur:
        return ""
    how = "for joining" if reward.paid_when == SIGN_UP else "with your first purchase"
    return f"You came by a friend and get {eur(reward.friend_eur)} {how}"


def counted(rules: Rules) -> str:
    return (
        f"If they sign up within {days(rules.window_days)} after they clicked on a link of yours, "
        "in the same browser, or if they type your code when they sign up. Friends who come by "
        "something that you shared are welcome, and are shown here, but bring no reward."
    )


def several(rules: Rules) -> str:
    after = (
        f"What we learn within {days(rules.reopen_days)} after the sign-up may still change it; "
        "then it stays."
        if rules.reopen_days
        else "What we know at sign-up decides, and it stays."
    )
    return (
        "Every friend counts once, for one member. A typed code goes before clicks; of several "
        f"clicks the {rules.touch} one counts. {after}"
    )


def excluded(rules: Rules) -> str:
    text = "You yourself"
    if rules.same_by:
        same = either([TRAIT_WORDS[name] for name in rules.same_by])
        text += f"; somebody who signs up with the same {same} as you"
    if rules.existing_by:
        same = either([TRAIT_WORDS[name] for name in rules.existing_by])
        text += f"; somebody who was a member before, even with another account: we see the {same}"
    return f"{text}. Made-up accounts bring nothing, and rewards for them are not paid."


def paid(reward: Reward, answer_days: float) -> str:
    first = (
        f"Each reward is checked for {days(reward.hold_days)} after we learn that it was earned; "
        "then it is paid."
        if reward.hold_days
        else "As soon as we know that it was earned."
    )
    return f"{first} If a check takes longer, we answer within {days(answer_days)} after that."


def capped(reward: Reward) -> str:
    most = reward.most_a_year_count
    if most is None:
        return "As many as you like; there is no limit."
    return (
        f"You get at most {most:,} reward{'' if most == 1 else 's'} in a calendar year, which is "
        f"{eur(most * reward.sender_eur)}. More friends are welcome; they still get theirs."
        if reward.friend_eur
        else f"You get at most {most:,} in a calendar year, {eur(most * reward.sender_eur)}."
    )
