"""The tools behind the verbs of the Makefile; they serve the checkout and are not in the wheel."""
