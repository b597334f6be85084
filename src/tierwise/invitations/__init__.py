"""Which text to invite with, for which interest: learned from sendings whose text a lot chose.

    logged       sendings as arrays: interest, template, propensity, recipients, sign-ups, sender
    sendings     the same from the tables of referrals, each with a window that has closed
    off_policy   what another policy would have brought: IPS, SNIPS, doubly robust
    policy       uniform, best single, per interest by Thompson sampling; which may be used
    texts        the words that a sender sees, with a fallback
    choice       the lot of a person and a day
    plans        what params.yaml says of them
    invite       one invitation, with its link
    measured     policies learned from earlier sendings, judged on later ones

A *policy* is a table: for each interest (a row; "none" where nobody declared one) the propensity of
each template (a column), from 0 to 1, together 1. Its *value* is sign-ups per recipient.
"""
