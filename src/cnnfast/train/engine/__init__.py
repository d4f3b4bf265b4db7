"""What computes a step of training: forward, loss, backward; the fast engine and its reference."""
