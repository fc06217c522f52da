"""What to do now: decides, switches, checks firmware, and owns the Protocols that it needs from the world."""
