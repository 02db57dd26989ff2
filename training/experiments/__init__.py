"""The tables and figures of Li, He & Xu (2021) and beyond, measured anew: `spanferry experiment`.

definition     what is compared, as data
config         which data, as a TOML file says
sources        reading them: files, run folders, the hub, corpora that are projected first
reviewing      people simulated from gold
language_data  what rows learn from in a language, and what they are judged on
running        training and scoring every row, and going on after an interruption
results        what was found, with the spread over the seeds
published      others' figures, kept apart from ours
table, plot    for people
"""
