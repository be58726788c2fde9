"""The controller: one record, many campaigns, and the gRPC server in front of them."""
