"""Speed as ratios: everything beside its peer in one run. ``make bench`` runs it all."""
