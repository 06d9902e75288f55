"""Responses: weights as they are computed, files in whole or in part, problem documents."""
