"""`parley bench`: what memory and exploration are worth to a planner, against a known floor and ceiling."""
