"""What `bench_serve.py` runs besides our own server."""
