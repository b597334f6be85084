"""The README's figures are those of the metrics files.

`python tests/test_readme.py` writes them after a run that changed them.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- metrics -->\n", "<!-- /metrics -->"


def metrics(step):
    return json.loads((ROOT / "metrics" / "bank_calls" / f"{step}.json").read_text())


def share(value):
    return f"{value:.1%}".replace("%", " %")


def tier_table(judged):
    lines = ["| tier | later calls | sold | 95 % interval |", "|---|---|---|---|"]
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


def block():
    judged, compared = metrics("validate_tiers"), metrics("compare_models")
    both = judged["found_share"]["A+B"]
    claimed = {row["columns"]: row["auc"] for row in metrics("build_features")["claimed_auc"]}
    low, high = judged["auc_interval"]
    week_low, week_high = judged["auc_in_weeks_interval"]
    return "\n".join(
        [
            f"**Verdict: {judged['verdict']}.** Judged on {judged['rows_count']:,} later calls.",
            "",
            *tier_table(judged),
            "",
            f"A and B together hold {share(both['share'])} of the sales in "
            f"{share(both['contacted_share'])} of the calls. AUC on later calls "
            f"{judged['auc']:.3f} ({low:.3f} to {high:.3f}), inside weeks {judged['auc_in_weeks']:.3f} "
            f"({week_low:.3f} to {week_high:.3f}). Keeping `duration` would have claimed "
            f"an AUC of {claimed['with the refused columns']:.3f} where "
            f"{claimed['without them']:.3f} was to be had.",
            "",
            *candidate_table(compared),
            "",
        ]
    )


def test_readme_figures_are_those_of_the_last_run():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.split(START)[1].split(END)[0] == block()


def test_readme_row_count_is_that_of_the_file():
    rows = metrics("build_features")
    left_out = sum(item["rows_count"] for item in rows["excluded"])
    count = rows["rows_count"] + left_out
    assert f"`bank_calls`: {count:,} calls" in (ROOT / "README.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    readme.write_text(before + START + block() + END + rest.split(END)[1], encoding="utf-8")
