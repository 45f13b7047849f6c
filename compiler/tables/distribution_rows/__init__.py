"""The rows of the table of distributions, a file a kind of support."""
