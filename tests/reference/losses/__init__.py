"""Losses: one value for each sample or pixel; `reduction.total` computes the number that training minimizes."""
