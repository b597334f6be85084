"""`tierwise rewards`: which rewards are due, held, paid; to decide, to pay, to take back."""

from pathlib import Path
from typing import Annotated, Any

import typer

rewards = typer.Typer(no_args_is_help=True, help="Rewards for bringing friends, and their ledger.")

Application = Annotated[
    str, typer.Argument(metavar="APPLICATION", help="Below `referrals:` in params.yaml.")
]
RewardId = Annotated[
    str, typer.Argument(metavar="REWARD_ID", help="Of `rewards list`; its first letters will do.")
]
By = Annotated[str, typer.Option(metavar="WHO", help="Who decided or did this.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for whoever reads it later.")]
STATES = "waiting, held, payable, capped, refused, paid or undone"
SHOWN = ("reward_id", "person_id", "side", "friend_id", "amount_eur", "state", "payable_at")


def now() -> Any:
    import pandas as pd

    return pd.Timestamp.now("UTC").floor("s").tz_localize(None)


def load(application: str) -> Any:
    """The state of all rewards; says what a kill left unfinished."""
    from tierwise.files import project_root
    from tierwise.report import say
    from tierwise.rewards import current, ledger

    found = current.load(project_root(), application)
    left = ledger.unfinished(found.folder)
    if left:
        say(
            f"{found.folder / ledger.NAME} ends in the middle of a line ({left} bytes): a command "
            "was killed. That line counts for nothing; give the command again."
        )
    return found


def of_states(rows: Any, states: list[str]) -> Any:
    from tierwise.files import InputError
    from tierwise.rewards.ledger import STATES as KNOWN

    strange = [state for state in states if state not in KNOWN]
    if strange:
        raise InputError(f"A state is {STATES}, not {strange[0]!r}.")
    return rows[rows["state"].isin(states)] if states else rows


@rewards.command(name="list")
def list_rewards(
    application: Application,
    state: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help=f"Only {STATES}; repeat it for more.")
    ] = None,
) -> None:
    """Print rewards with their state, and sums by state.

    \b
    Example:
      tierwise rewards list file_sharing --state held --state payable
    """
    from tierwise.rewards import ledger

    found = load(application)
    rows = of_states(found.states, state or [])
    table = rows[[*SHOWN, "is_flagged", "why", "by", "entry_id"]].copy()
    table["amount_eur"] = table["amount_eur"].map("{:.2f}".format)
    table["payable_at"] = table["payable_at"].dt.date.astype("str").replace("NaT", "")
    table["is_flagged"] = table["is_flagged"].map({True: "flagged", False: ""})
    print(table.to_string(index=False) if len(table) else "There is no such reward.")
    print()
    print(sums_text(ledger.sums(found.states)))


def sums_text(table: Any) -> str:
    return "\n".join(
        f"{row.state:<10}{row.reward_count:>8,}  {row.amount_eur:>12,.2f} EUR"
        for row in table.itertuples()
    )


@rewards.command()
def review(
    application: Application,
    reward_id: RewardId,
    by: By,
    why: Why,
    approve: Annotated[
        bool | None, typer.Option("--approve/--refuse", help="Pay it, or don't.")
    ] = None,
) -> None:
    """Approve or refuse one reward.

    Approved, it is paid although it is flagged. Its hold goes on. `rewards undo` takes the decision
    back.

    \b
    Example:
      tierwise rewards review file_sharing 523efd44 --refuse --by anna --why "one phone, 9 accounts"
    """
    from tierwise.files import InputError
    from tierwise.rewards import current, entries

    if approve is None:
        raise InputError("Say either --approve or --refuse.")
    found = load(application)
    row = current.one(found, reward_id)
    action = entries.APPROVE if approve else entries.REFUSE
    print(added(found, [entries.entry(action, row["reward_id"], by, now(), why)]))


def added(found: Any, made: list[dict[str, Any]]) -> str:
    """Append, and say what that changed."""
    from tierwise.rewards import ledger

    new = ledger.append(found.folder, made, found.reward.hold_days)
    if not new:
        return "That was in the ledger already; nothing has changed."
    return "\n".join(
        f"Entry {one['entry_id']}: {one['action']}, {one['reward_id']}." for one in new
    )


@rewards.command()
def flags(
    application: Application,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Only to be reviewed, confirmed or cleared."),
    ] = None,
) -> None:
    """Print the friends that look wrong, group by group, and why.

    \b
    Example:
      tierwise rewards flags file_sharing --state "to be reviewed"
    """
    import json

    from tierwise.files import InputError, project_root
    from tierwise.rewards import current
    from tierwise.rewards.ledger import FLAG_STATES

    strange = sorted(set(state or []) - set(FLAG_STATES))
    if strange:
        raise InputError(f"A flag is {', '.join(FLAG_STATES)}, not {strange[0]!r}.")
    rows, _ = current.flags_now(project_root(), application)
    rows = rows[rows["state"].isin(state)] if state else rows
    for group, mine in rows.groupby("group_id", sort=False):
        print(f"Group {group}, {len(mine)} friends:")
        for row in mine.itertuples():
            print(f"  friend {row.person_id} of sender {row.sender_id}: {row.state}")
            for piece in json.loads(row.evidence):
                print(f"    {piece['weight']:+.1f} {piece['words']}")
    print(f"{len(rows):,} friends in {rows['group_id'].nunique():,} groups.")


@rewards.command()
def decide(
    application: Application,
    by: By,
    group: Annotated[int | None, typer.Option(metavar="NUMBER", help="A whole group.")] = None,
    person: Annotated[int | None, typer.Option(metavar="NUMBER", help="One friend.")] = None,
    confirmed: Annotated[
        bool | None, typer.Option("--confirmed/--cleared", help="It is fraud, or it is not.")
    ] = None,
) -> None:
    """Decide about flagged friends: add a line to the file of reviews.

    Confirmed, nothing is paid for them; cleared, everything is. A later line outweighs this one.

    \b
    Example:
      tierwise rewards decide file_sharing --group 3764 --confirmed --by anna
    """
    from tierwise.files import InputError, project_root
    from tierwise.referral_fraud import reviews
    from tierwise.rewards import current

    if confirmed is None or (group is None) == (person is None):
        raise InputError("Say --confirmed or --cleared, and either --group or --person.")
    rows, path = current.flags_now(project_root(), application)
    if path is None:
        raise InputError(
            f"params.yaml names no file of reviews for {application}. Set `reviews:` in its "
            "section referral_fraud, such as data/reviews/referrals.csv."
        )
    if not rows["group_id" if person is None else "person_id"].eq(group or person).any():
        raise InputError(
            f"Nobody of that number is flagged. `tierwise rewards flags {application}`."
        )
    word = reviews.CONFIRMED if confirmed else reviews.CLEARED
    print(f"{path}: {reviews.add(path, word, by, now(), person=person, group=group)}")


@rewards.command()
def settle(
    application: Application,
    by: By = "settle",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be paid.")
    ] = False,
) -> None:
    """Mark everything payable as paid, and print the totals.

    What is flagged and not reviewed is left out. Give it twice, and nobody is paid twice.

    \b
    Example:
      tierwise rewards export file_sharing pay.csv
      tierwise rewards settle file_sharing --by anna
    """  # fmt: skip
    from tierwise.rewards import current, due, ledger

    found = load(application)
    rows = found.states[found.states["state"] == due.PAYABLE]
    cents = {row.reward_id: round(row.amount_eur * 100) for row in rows.itertuples()}
    if not dry_run:
        made = current.payments(rows, by, now())
        new = ledger.append(found.folder, made, found.reward.hold_days)
        cents = {one["reward_id"]: one["amount_cents"] for one in new}
    held = found.states[(found.states["state"] == due.HELD) & found.states["is_flagged"]]
    word = "would be paid" if dry_run else "paid"
    print(f"{len(cents):,} rewards {word}, {sum(cents.values()) / 100:,.2f} EUR in all.")
    print(f"{len(held):,} are flagged and wait for a review, {held['amount_eur'].sum():,.2f} EUR.")


@rewards.command()
def undo(
    application: Application,
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY_ID", help="Of `rewards list`.")],
    why: Why,
    by: By = "undo",
) -> None:
    """Take back a decision or a payment.

    A payment is then clawed back. The entry stays, another one beside it says that it no longer
    holds. A payment can be undone for as many days as rewards are held, and is not paid again
    before it is approved.

    \b
    Example:
      tierwise rewards undo file_sharing 000017-9f2c41d0 --why "refunded the purchase"
    """
    from tierwise.rewards import entries

    found = load(application)
    print(added(found, [entries.entry(entries.UNDO, "", by, now(), why, undoes=entry_id)]))


@rewards.command()
def export(
    application: Application,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; replaced.")],
    state: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Default: payable; repeat for more.")
    ] = None,
) -> None:
    """Write what is to be paid, for whoever moves the money. Nothing is marked as paid.

    Columns: reward_id, person_id, side, friend_id, amount_eur (two decimals), state, payable_at.

    \b
    Example:
      tierwise rewards export file_sharing pay.csv
    """
    from tierwise import files

    rows = of_states(load(application).states, state or ["payable"])[list(SHOWN)]
    text = rows.to_csv(index=False, float_format="%.2f", lineterminator="\n")
    files.write_text(file, text)
    print(f"{file}: {len(rows):,} rewards, {rows['amount_eur'].sum():,.2f} EUR in all.")
