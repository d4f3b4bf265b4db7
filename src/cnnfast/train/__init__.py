"""Training: losses and the engines that compute gradients."""
