"""Photographs, and the ways in which people get from a folder of them to labels."""
