"""Apply one correction to every open sentence with the same entity."""
