"""Commands on several recordings, and on recordings for other tools."""
