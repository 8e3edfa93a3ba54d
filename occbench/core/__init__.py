"""The vocabulary everything else is written in: types, roles, seeding, fingerprints, the compositor, files, errors."""
