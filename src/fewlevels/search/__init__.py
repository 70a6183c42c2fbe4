"""Search: the fewest levels that keep what a network recognises."""
