"""Many recordings as one set of tables in Parquet files, written once and read as often as one likes."""
