"""Delivering: one case, one lane, in order; look before trying again."""
