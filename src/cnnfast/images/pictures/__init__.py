"""Picture files: which there are, how they are decoded, and by what rule they become arrays."""
