"""The engine of threads with decoders and backends on the machines of a Ray cluster."""
