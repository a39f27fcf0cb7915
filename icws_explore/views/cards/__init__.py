"""Cards: one frame, one certificate or one request in full."""
