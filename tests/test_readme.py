"""The README's figures are those of the metrics files.

`python tests/test_readme.py` writes them after a run that changed them.
"""

import json
import math
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest

from tierwise import files

ROOT = Path(__file__).parent.parent
BLOCKS = ("bank_calls", "leads", "benchmarks", "quality", "sizes", "outcomes", "employers")
BLOCKS += ("home_services", "loyal_shoppers", "file_sharing")


def marks(application):
    return f"<!-- metrics {application} -->\n", f"<!-- /metrics {application} -->"


def metrics(application, step):
    return json.loads((ROOT / "metrics" / application / f"{step}.json").read_text())


def share(value):
    return f"{value:.1%}".replace("%", " %")


def tier_table(judged, rows, won):
    lines = [f"| tier | {rows} | {won} | 95 % interval |", "|---|---|---|---|"]
    for tier in judged["tiers"]:
        low, high = tier["interval"]
        lines.append(
            f"| {tier['name']} | {tier['count']:,} | {share(tier['rate'])} "
            f"| {share(low)} to {share(high)} |"
        )
    return lines


def candidate_table(compared):
    lines = [
        "| candidate | AUC inside later periods | AUC over all of them | of a random split "
        "| log loss | calibration error |",
        "|---|---|---|---|---|---|",
    ]
    for row in compared["candidates"]:
        name = row["candidate"].replace("_", " ")
        low, high = row["auc_interval"]
        lines.append(
            f"| {'**' + name + '**' if row['candidate'] == compared['chosen'] else name} "
            f"| {row['auc']:.3f} ({low:.3f} to {high:.3f}) | {row['auc_pooled']:.3f} "
            f"| {compared['random_split_auc'][row['candidate']]:.3f} "
            f"| {row['log_loss']:.3f} | {row['calibration_error']:.3f} |"
        )
    return lines


def judgement(judged, rows, wins):
    both = judged["found_share"]["A+B"]
    low, high = judged["auc_interval"]
    week_low, week_high = judged["auc_in_weeks_interval"]
    return (
        f"A and B together hold {share(both['share'])} of the {wins} in "
        f"{share(both['contacted_share'])} of the {rows}. AUC on later {rows} "
        f"{judged['auc']:.3f} ({low:.3f} to {high:.3f}), inside weeks {judged['auc_in_weeks']:.3f} "
        f"({week_low:.3f} to {week_high:.3f})."
    )


def bank_calls():
    judged, compared, built = three("bank_calls")
    claimed = {row["columns"]: row["auc"] for row in built["claimed_auc"]}
    return [
        f"**Verdict: {judged['verdict']}.** Judged on {judged['rows_count']:,} later calls.",
        "",
        *tier_table(judged, "later calls", "sold"),
        "",
        f"{judgement(judged, 'calls', 'sales')} Keeping `duration` would have claimed "
        f"an AUC of {claimed['with the refused columns']:.3f} where "
        f"{claimed['without them']:.3f} was to be had.",
        "",
        *candidate_table(compared),
        "",
    ]


def leads():
    judged, compared, built = three("leads")
    claimed = {row["columns"]: row["auc"] for row in built["claimed_auc"]}
    auc = {row["candidate"]: row["auc"] for row in compared["candidates"]}
    refused = ", ".join(f"`{row['column']}`" for row in built["quarantined"])
    return [
        f"**Verdict: {judged['verdict']}**, on simulated data. Judged on "
        f"{judged['rows_count']:,} later looks at open deals.",
        "",
        *tier_table(judged, "later looks", "won within 30 days"),
        "",
        f"{judgement(judged, 'looks', 'wins')} Inside later periods, "
        f"{compared['chosen'].replace('_', ' ')} has AUC {auc[compared['chosen']]:.3f}; the rule "
        f'"further down the pipeline first" has {auc["by_stage_last"]:.3f}. The leak guard set '
        f"{refused} aside, which sales fills in at closing; keeping them would have claimed "
        f"{claimed['with the refused columns']:.3f} where {claimed['without them']:.3f} was to "
        "be had.",
        "",
    ]


def benchmarks():
    rows = json.loads((ROOT / "benchmarks" / "results" / "features.json").read_text())
    cpu = {(row["implementation"], row["events"]): row for row in rows}
    ours, most = cpu["tierwise", 10**7], cpu["tierwise", 5 * 10**7]
    peers = [
        f"{name} {cpu[name, 10**7]['cpu_s'] / ours['cpu_s']:.1f}"
        for name in ("DuckDB", "polars, streaming")
    ]
    spark = cpu["tierwise on Spark, local[2]", 10**7]["cpu_s"] / ours["cpu_s"]
    power = math.log(most["cpu_s"] / ours["cpu_s"]) / math.log(5)
    return [
        f"122 features of 800,000 rows from 10 million events take "
        f"{ours['cpu_ratio_to_read_write']:.1f} times the processor time of reading the events and "
        f"writing the result, and {ours['peak_memory_mb']:,} MB. The peers as written in "
        f"`benchmarks/peers` take, in units of ours: {peers[0]}, {peers[1]}. The same on Spark, on one machine: "
        f"{spark:.1f}. From 10 to 50 million events, processor time grows with the power "
        f"{power:.2f} and memory to {most['peak_memory_mb']:,} MB.",
        "",
    ]


def quality():
    rows = json.loads((ROOT / "benchmarks" / "results" / "quality.json").read_text())
    lines = [
        "| protocol | AUC | inside blocks | log loss | peers run | against the best of them: AUC "
        "| inside blocks | log loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["model"] == "tierwise":
            versus = row["versus_best_peer"]
            told = [
                f"{versus[name]['word']} ({versus[name]['peer'].replace('_', ' ')})"
                for name in ("auc", "auc_in_block", "log_loss")
            ]
            lines.append(
                f"| {row['protocol']} | {row['auc']:.3f} | {row['auc_in_block']:.3f} "
                f"| {row['log_loss']:.3f} | {versus['peers_count']} | {' | '.join(told)} |"
            )
    return [*lines, "", peers_run(rows), ""]


def peers_run(rows):
    """Which peers ran on how many of the protocols: those that search cannot afford all."""
    ran = Counter(
        row["model"] for row in rows if not row["left_out"] and row["model"] != "tierwise"
    )
    count = len({row["protocol"] for row in rows})
    every = [name.replace("_", " ") for name, times in ran.items() if times == count]
    some = [f"{name.replace('_', ' ')} on {times}" for name, times in ran.items() if times < count]
    told = f"Peers on all {count} protocols: {', '.join(every)}."
    return f"{told} On some of them: {', '.join(some)}." if some else told


def sizes():
    found = json.loads((ROOT / "benchmarks" / "results" / "sizes.json").read_text())
    kinds, refit = found["worlds"]["kinds"], found["hourly_refit"]
    refit_s = max(refit["refit_cpu_s"]["all"], refit["refit_steady_cpu_s"]["all"])
    held = [kind["auc"][name]["coverage"] for kind in kinds.values() for name in kind["auc"]]
    tiers = [tier["coverage"] for kind in kinds.values() for tier in kind["tiers"].values()]
    ends = [
        [min(f["share"] for f in group), max(f["share"] for f in group)] for group in (held, tiers)
    ]
    auc, tier = ([f"{end:.0%}".replace("%", " %") for end in pair] for pair in ends)
    nothing = kinds["nothing"]["can_rank"]
    most = {row["learner"]: row for row in found["ladder"] if row["rows_count"] == 10**7}
    parts = [most[name] for name in ("recent logistic, steady", "recent boosting, steady")]
    return [
        f"With 200 rows, 95 % intervals hold the true AUC in {auc[0]} to {auc[1]} and the true rate "
        f"of a tier in {tier[0]} to {tier[1]} of the simulated worlds, and where outcomes were "
        f"shuffled {nothing['count']} of {nothing['of']} worlds are said to rank. From 10 million "
        f"rows the two parts of the blend are fitted on {parts[0]['fitted_count']:,} in "
        f"{sum(row['fit_cpu_s'] for row in parts):.0f} s of processor time, with at most "
        f"{max(row['memory_mb'] for row in parts):,.0f} MB beside the table. Fitting the blend anew "
        f"on {refit['rows_count']:,} closed deals takes {refit_s:.1f} s. `benchmarks/results/sizes.md` has the rest.",
        "",
    ]


def outcomes():
    found = metrics("leads", "watch_outcomes")
    lines = [
        "| tier | deals | promised | won within 30 days | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for tier in found["due"]:
        low, high = tier["interval"]
        lines.append(
            f"| {tier['name']} | {tier['count']:,} | {share(tier['chance'])} | {share(tier['rate'])} "
            f"| {share(low)} to {share(high)} |"
        )
    gain = found["uplift"]
    return [
        "Replayed on the simulated CRM, by a model that had learned from nothing later:",
        "",
        *lines,
        "",
        f"Nobody was shown these tiers, and so no uplift is found: {share(gain['shown']['rate'])} "
        f"of {gain['shown']['count']:,} deals with tiers won, {share(gain['held_out']['rate'])} of "
        f"{gain['held_out']['count']:,} held out.",
        "",
    ]


def employers():
    """Companies: what each page found, on simulated tables."""
    spend, who = metrics("employers", "account_spend"), metrics("employers", "decision_makers")
    paths, alerts = (
        metrics("employers", "relationship_paths"),
        metrics("employers", "account_alerts"),
    )
    brief = metrics("employers", "account_brief")
    cards = {row["candidate"]: row for row in spend["candidates"]}
    own, naive = cards[spend["chosen"]], cards["last_period"]
    ahead = next(row for row in spend["ahead"] if row["candidate"] == "last_period")
    covered = next(row for row in spend["intervals"] if row["group"] == "all")
    ranks = {row["candidate"]: row for row in who["candidates"]}
    reached = mean(row["auc"] for row in paths["foretold"])
    right = alerts["truth"][-1]
    lines = [
        "On simulated companies, judged on what came later:",
        "",
        f"- Spend of the next year: normalised Gini {own['gini']:.3f} against {naive['gini']:.3f} by "
        f"last year's spend ({ahead['difference']:+.3f}, {ahead['low']:.3f} to {ahead['high']:.3f}); "
        f"total off by {share(own['bias_share'])}; ranges of 90 % held {share(covered['covered_share'])}.",
        f"- Who signs: the first name was right in {share(ranks['learned']['hit_1'])} of "
        f"{who['candidates'][0]['decisions_count']:,} decisions and among the first three in "
        f"{share(ranks['learned']['hit_3'])}; by the highest title in "
        f"{share(ranks['highest title']['hit_1'])} and {share(ranks['highest title']['hit_3'])}.",
        f"- Next contact within 30 days foretold with AUC {reached:.3f}; "
        f"{share(paths['reached_share'])} of the likely signers can be reached.",
        f"- {brief['accounts_count']:,} accounts have a page; {brief['citations_count']:,} records are "
        "cited on them.",
        f"- {alerts['alerts_count']:,} alerts in {alerts['months_count']} months, "
        f"{alerts['repeats_count']} repeated; precision {share(right['precision'])}, recall "
        f"{share(right['recall'])}.",
    ]
    return [*lines, ""]


def three(application):
    steps = ("validate_tiers", "compare_models", "build_features")
    return [metrics(application, step) for step in steps]


def block(application):
    made = {"bank_calls": bank_calls, "leads": leads}
    made |= {"benchmarks": benchmarks, "quality": quality, "sizes": sizes}
    made |= {"outcomes": outcomes, "employers": employers, "home_services": home_services}
    made |= {"loyal_shoppers": loyal_shoppers, "file_sharing": file_sharing}
    return "\n".join(made[application]())


def home_services():
    """Providers: what each page found, on simulated tables."""
    audit, own, gone, ranked = (
        metrics("home_services", step)
        for step in ("rating_audit", "satisfaction", "drop_out", "provider_ranks")
    )
    rated, five = audit["figures"][:2]
    truth = {row["measure"]: row["agreement"] for row in own["simulated_truth"]}
    ways = {row["way"]: row for row in gone["ways_to_count"]}
    ours, naive = ways["own rhythm and mix of visits"], ways["no visit within 30 days"]
    caught = gone["off_platform"]["simulated_truth"]
    lowest, highest = ranked["by_rank"][0], ranked["by_rank"][-1]
    ahead = {row["measure"]: row for row in ranked["against_next"]}
    stars = ahead["star mean"]
    lines = [
        "On simulated tables, judged on later quarters and, where named, by the truth of the "
        "simulation:",
        "",
        f"- Stars: {share(rated['share'])} of visits are rated, {share(five['share'])} of ratings "
        f"are five stars; it takes {audit['reliability']['needed']['0.7']:,.0f} ratings to tell "
        f"providers apart with a reliability of 0.7, half of them have "
        f"{audit['reliability']['median_count']:,.0f} or fewer.",
        f"- Satisfaction agrees with true quality at {truth['quality']:.2f} (rank correlation), "
        f"the plain mean of the same deeds at {truth['raw_mean']:.2f}, stars at "
        f"{truth['stars']:.2f}.",
        f"- Drop-out: off by {100 * ours['difference']:+.1f} points on average, agreement "
        f'{ours["agreement"]:.2f}; "no visit within 30 days" is off by '
        f"{100 * naive['difference']:+.1f} points and agrees at {naive['agreement']:.2f}.",
        f"- {caught['right_count']} of {caught['leaking_count']} providers who divert customers are "
        f"on the list to look at, with {caught['flagged_count'] - caught['right_count']} others.",
        f"- In the quarter after, customers of the lowest rank came back in time from "
        f"{share(lowest['returned_share'])} of the visits, of the highest from "
        f"{share(highest['returned_share'])}; the order agrees with that at "
        f"{ahead['our score']['agreement']:.2f}, by stars at {stars['agreement']:.2f} (behind by "
        f"{stars['ahead']:.2f}, {stars['ahead_low']:.2f} to {stars['ahead_high']:.2f}).",
    ]
    return [*lines, ""]


def loyal_shoppers():
    """Customers: the sentence of each page, on simulated tables."""
    steps = ("engagement", "segment_customers", "funnels", "loud_critics")
    told = {step: metrics("loyal_shoppers", step) for step in steps}
    lines = [f"- `{step}`: {one['sentence']}" for step, one in told.items()]
    return ["On simulated customers, judged on what came later:", "", *lines, ""]


def file_sharing():
    """Referrals: the sentence of each page, on simulated tables."""
    steps = files.OWN_SECTIONS["referrals"]
    told = {step: metrics("file_sharing", step) for step in steps}
    lines = [f"- `{step}`: {one['sentence']}" for step, one in told.items()]
    return ["On simulated members, judged on what came later:", "", *lines, ""]


@pytest.mark.parametrize("application", BLOCKS)
def test_readme_figures_are_those_of_the_last_run(application):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    start, end = marks(application)
    assert text.split(start)[1].split(end)[0] == block(application)


def test_readme_row_count_is_that_of_the_file():
    rows = metrics("bank_calls", "build_features")
    left_out = sum(item["rows_count"] for item in rows["excluded"])
    count = rows["rows_count"] + left_out
    assert f"`bank_calls`: {count:,} calls" in (ROOT / "README.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    readme = ROOT / "README.md"
    for name in BLOCKS:
        start, end = marks(name)
        before, rest = readme.read_text(encoding="utf-8").split(start)
        text = before + start + block(name) + end + rest.split(end)[1]
        readme.write_text(text, encoding="utf-8")
