"""Which referrals look wrong, and why: signs, groups, evidence in words, reviews.

claims     who claims whom: sign-ups that were credited, and those that the rules refused
facts      what is known of each: shared traits, times, what they did after
signs      what each fact weighs, learned from sign-ups that came by themselves
groups     accounts that belong together, and the queue of groups to be looked at
evidence   why, in plain words
found      all of it at once, and what other steps get
reviews    what people decided who looked
measured   against the truth, where a world is simulated
page       what the report says; plots draws it
"""
