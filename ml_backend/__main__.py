"""`python -m ml_backend` is `spanferry`."""

from ml_backend.cli import main

main()
