"""A trained network as it is used: called, streamed, summarized, changed and saved."""
