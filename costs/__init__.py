"""What captions and reports cost: prices, an estimate beforehand, the pace, and what is spent on the way."""
