"""What time and place tell: the order of the photos, events, trips and bursts."""
