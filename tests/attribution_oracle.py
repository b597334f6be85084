"""Attribution once more, the slow way: every member, every click, one rule after the other."""

import pandas as pd


def traits(row, names):
    return {name: row.get(name) for name in names if isinstance(row.get(name), str)}


def shared(one, other, names):
    mine, theirs = traits(one, names), traits(other, names)
    return [name for name in names if name in mine and mine[name] == theirs.get(name)]


def first_copies(rows, key):
    """Of the rows of one visitor with one key the first known."""
    kept = {}
    for row in sorted(rows, key=lambda row: (row["known_at"], row["occurred_at"], str(row))):
        kept.setdefault((row["visitor_id"], row[key]), row)
    return list(kept.values())


def reasons(claim, friend, senders, rules, existing):
    """What speaks against a claim, in the order in which it is told."""
    settled = friend["known_at"] + pd.Timedelta(days=rules.reopen_days)
    sender = senders.get(claim["sender_id"])
    if claim["link_known_at"] is None or claim["link_known_at"] > settled or sender is None:
        return ["no such link"]
    if sender["known_at"] > settled:
        return ["no such link"]
    longest = pd.Timedelta(days=rules.window_days, minutes=rules.skew_minutes)
    same = shared(friend, sender, rules.same_by)
    if "device_id" in rules.same_by and isinstance(claim.get("device_id"), str):
        same += ["device_id"] * (claim["device_id"] == sender.get("device_id"))
    order = {"device_id": "same device", "payment_id": "same payment", "visitor_id": "same visitor"}
    when = [(one["occurred_at"], one["person_id"]) for one in (sender, friend)]
    return [
        *["not in time"] * (friend["occurred_at"] - claim["at"] > longest),
        *["own link"] * (sender["person_id"] == friend["person_id"]),
        *["sender came later"] * (when[0] > when[1]),
        *[text for name, text in order.items() if name in same],
        *["existing account"] * existing,
    ]


def claims_of(friend, links, clicks, shares, rules):
    """source -> claims, in which each has an id, a time, a sender, and a link or none."""
    skew = pd.Timedelta(minutes=rules.skew_minutes)
    settled = friend["known_at"] + pd.Timedelta(days=rules.reopen_days)
    found = {"code": [], "click": [], "shared item": []}
    by_id = {link["link_id"]: link for link in links}

    def claim(row, link, row_id, sender_id, link_known_at):
        return {
            "id": row_id,
            "at": row["occurred_at"],
            "known_at": row["known_at"],
            "device_id": row.get("device_id"),
            "sender_id": sender_id,
            "link_id": link,
            "link_known_at": link_known_at,
        }

    def linked(row, link_id, row_id):
        link = by_id.get(link_id, {"person_id": None, "known_at": None})
        return claim(row, link_id, row_id, link["person_id"], link["known_at"])

    if isinstance(friend.get("code"), str):
        typed = linked(friend, friend["code"].strip(), None)
        found["code"].append(typed | {"device_id": None})
    for name, rows, key in (("click", clicks, "click_id"), ("shared item", shares, "share_id")):
        for row in first_copies(rows, key):
            if row["visitor_id"] != friend["visitor_id"]:
                continue
            if row["occurred_at"] > friend["occurred_at"] + skew or row["known_at"] > settled:
                continue
            if name == "click":
                found[name].append(linked(row, row["link_id"], row[key]))
            else:
                one = claim(row, None, row[key], row["person_id"], row["known_at"])
                found[name].append(one | {"device_id": None})
    return found


def chosen(claims, rules):
    if not claims:
        return None
    edge = (max if rules.touch == "last" else min)(claim["at"] for claim in claims)
    return min((claim for claim in claims if claim["at"] == edge), key=lambda one: one["id"] or "")


def attributed(members, links, clicks, shares, rules, as_of=None):
    """person_id -> (source, sender_id, link_id, evidence_id, refused)."""
    tables = [
        [row for row in table.to_dict("records") if as_of is None or row["known_at"] < as_of]
        for table in (members, links, clicks, shares)
    ]
    members, links, clicks, shares = tables
    senders = {row["person_id"]: row for row in members}
    found = {}
    for friend in members:
        settled = friend["known_at"] + pd.Timedelta(days=rules.reopen_days)
        existing = any(
            (other["occurred_at"], other["person_id"])
            < (friend["occurred_at"], friend["person_id"])
            and other["known_at"] <= settled
            and shared(friend, other, rules.existing_by)
            for other in members
        )
        won, refused = None, None
        for source, claims in claims_of(friend, links, clicks, shares, rules).items():
            told = [(one, reasons(one, friend, senders, rules, existing)) for one in claims]
            good = chosen([one for one, against in told if not against], rules)
            bad = chosen([one for one, against in told if against], rules)
            if won is None and good is not None:
                won = (source, good["sender_id"], good["link_id"], good["id"], None)
            if refused is None and bad is not None:
                refused = next(against[0] for one, against in told if one is bad)
        found[friend["person_id"]] = won or ("itself", None, None, None, refused)
    return found
