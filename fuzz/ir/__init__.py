"""Hostile IR files: refused, or right code, and never code of the attacker's."""
