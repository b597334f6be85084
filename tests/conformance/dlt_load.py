"""The lists of a company, loaded by dlt. Run by a Python that has dlt, which ours has not.

Standard input has a job as JSON: base_url, destination (a .duckdb file or an address of
PostgreSQL), folder (where dlt keeps its state), lists and columns. A list has a name, a table, a
path and parameters; columns has the types of each table's columns. The token comes from the
environment. Called again with the same folder, it loads what was updated since.
"""

import json
import os
import sys

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from dlt.sources.rest_api import rest_api_source

DATASET = "oracle"
BEGINNING = "2000-01-01T00:00:00Z"


def client(base_url):
    return {
        "base_url": base_url,
        "auth": {
            "type": "api_key",
            "name": "x-api-token",
            "api_key": os.environ["PIPEDRIVE_API_TOKEN"],
            "location": "header",
        },
        "paginator": JSONResponseCursorPaginator(
            cursor_path="additional_data.next_cursor", cursor_param="cursor"
        ),
    }


def resource(one, columns):
    """New tables are made, but no column and no type that was not declared."""
    updated = {
        "start_param": "updated_since",
        "cursor_path": "update_time",
        "initial_value": BEGINNING,
    }
    return {
        "name": one["name"],
        "table_name": one["table"],
        "primary_key": one["key"],
        "write_disposition": "merge",
        "columns": {name: {"data_type": kind} for name, kind in columns.items()},
        "schema_contract": {"tables": "evolve", "columns": "freeze", "data_type": "freeze"},
        "endpoint": {
            "path": one["path"],
            "params": {"limit": 500, **one["params"]},
            "data_selector": "data",
            **({"incremental": updated} if one["is_incremental"] else {}),
        },
    }


def main():
    job = json.load(sys.stdin)
    is_file = job["destination"].endswith(".duckdb")
    factory = dlt.destinations.duckdb if is_file else dlt.destinations.postgres
    pipeline = dlt.pipeline(
        "oracle",
        pipelines_dir=job["folder"],
        destination=factory(job["destination"]),
        dataset_name=DATASET,
    )
    resources = [resource(one, job["columns"][one["table"]]) for one in job["lists"]]
    source = rest_api_source({"client": client(job["base_url"]), "resources": resources})
    pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
    counts = pipeline.last_trace.last_normalize_info.row_counts
    print(json.dumps({name: n for name, n in counts.items() if not name.startswith("_")}))


if __name__ == "__main__":
    main()
