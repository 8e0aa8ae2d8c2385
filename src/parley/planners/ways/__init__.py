"""Four ways to get a distribution over a menu out of a server, and the probe that finds out which it can do.

`echo`: prompt log-probabilities of each candidate. `letters`: log-probabilities of the first token of an answer by
letter. `constrained`: answers constrained to the menu by a JSON schema, sampled n times. `parse`: free text, parsed,
sampled n times. The first two give a distribution; the others give answers, and say so.
"""
