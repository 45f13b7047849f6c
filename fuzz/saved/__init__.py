"""Checkpoints and folders of fits that were tampered with, or damaged."""
