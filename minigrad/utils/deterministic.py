"""What `empty` does under deterministic algorithms: kept; minigrad does not fill its memory."""

fill_uninitialized_memory = True
