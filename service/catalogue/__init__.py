"""What recipes can name: distributions, schemes, schemes over models, layers and model families."""
