"""What lies in the bucket, where, and how it gets there and comes from there."""
