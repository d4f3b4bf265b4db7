"""Channels in the lanes, layout nchw<L>c: an element of memory is a vector with one pixel of L channels."""
