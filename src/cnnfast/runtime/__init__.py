"""What runs, and where: environment, CPU, threads, files that are written. Nothing here knows a network."""
