"""What the field has: distributions, schemes, schemes over models, layers and model families."""
