"""What an annotator sees: the labeling config, and both conversions between our records and
Label Studio's JSON. Pure functions, no network.
"""
