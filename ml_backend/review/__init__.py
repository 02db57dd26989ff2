"""Push sentences for review, pull what was decided, predict again, compare annotators."""
