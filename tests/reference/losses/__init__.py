"""Losses: each gives one value a sample (or pixel); `reduction.total` makes them the number that training lowers."""
