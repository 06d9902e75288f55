"""What must hold under strain, measured on real processes: ``python -m tools.torture``."""
