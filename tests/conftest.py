"""One thread and one seed for the whole set, so that a failure can be repeated."""

import os

# Before any import of numpy or scikit-learn: they read it once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("tierwise", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("tierwise")
