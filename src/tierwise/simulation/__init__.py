"""A simulated marketplace for jobs: employers try it out, representatives call some of them."""
