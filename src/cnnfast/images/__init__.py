"""What a network takes: arrays and pictures, and how they become the numbers that it was trained on."""
