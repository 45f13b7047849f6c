"""The rows of the function table, a file for each group of the reference."""
