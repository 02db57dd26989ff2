"""Comparisons under the same conditions, as in Li, He & Xu (2021): `spanferry experiment`.

The experiments are TOML files in `definitions/` (read by `definition`); the data are another one
(`config`, `sources`, `reviewing`). `runner` trains and scores every row of `taggers`, `aligners` or
`corpora`; `results`, `table` and `plot` show what came out.
"""
