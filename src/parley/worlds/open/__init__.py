"""Other people's environments as worlds: one adapter a file, each with an extra of its own."""
