"""A Spark session for tests, where PySpark and Java are there."""

import importlib.util
import shutil
import sys
from contextlib import contextmanager

import pytest

needs_spark = pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None,
    reason="needs PySpark (uv sync --extra spark) and Java",
)


@contextmanager
def session(master, settings):
    """Its workers run this Python and have no network but this machine's own.

    Java ends with it, so that no session depends on a Java that another file of tests began minutes
    before; and settings of Java itself are read only when it begins.
    """
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder.master(master).config("spark.ui.enabled", False)
        for name, value in settings.items():
            builder = builder.config(name, value)
        found = builder.getOrCreate()
        found.sparkContext.setLogLevel("OFF")
        try:
            yield found
        finally:
            found.stop()
            java = SparkContext._gateway
            SparkContext._gateway = SparkContext._jvm = None  # the next session begins its own
            java.shutdown()
            java.proc.stdin.close()  # what Java waits for, see pyspark.java_gateway
            java.proc.wait(60)
