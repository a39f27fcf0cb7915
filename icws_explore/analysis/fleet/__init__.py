"""Work on many recordings with many processes or machines, and the statistics that come of it."""
