"""The explorer: the frames of a recording as a list to filter, each with its bytes, its proof and its time-outs."""
