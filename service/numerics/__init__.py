"""Generator v1 as pure functions. The array namespace, NumPy's or CuPy's, is an argument."""
