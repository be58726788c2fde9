"""The durable record: the event log and the blobs."""
