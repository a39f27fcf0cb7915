"""Load: many sessions that send messages at a steady rate, and what became of them."""
