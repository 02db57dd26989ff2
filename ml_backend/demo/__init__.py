"""`spanferry demo`: the whole loop on the bundled sample."""
