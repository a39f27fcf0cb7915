"""The report of a recording: `gather` collects its contents, `html` and `markdown` write them down."""
