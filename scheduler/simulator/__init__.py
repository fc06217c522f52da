"""The simulated device: a house, a gateway with the habits of its firmware, and the API it speaks."""
