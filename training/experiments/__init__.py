"""Comparisons under the same conditions, as in Li, He & Xu (2021): `spanferry experiment`.

definitions/  the experiments as TOML files: rows, axis, published scores
definition    read from them
config        the data, as another TOML file names them
sources       reading the data: files, run folders, the hub, corpora that are projected first
reviewing     reviewers simulated from gold
taggers       one row of a tagger's recipe, trained and scored
aligners      one row of an aligner, trained and scored
runner        all rows, columns and seeds, continuing after an interruption
results       scores with their spread over the seeds
table, plot   results for people
"""
