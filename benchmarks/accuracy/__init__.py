"""Untuned fits of public posteriors beside their references: errors, verdicts and seconds."""
