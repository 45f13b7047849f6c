"""Random right specs: scipy's reading of them is the emitted model's, the graph's, and C++'s."""
