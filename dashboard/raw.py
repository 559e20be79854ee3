"""Bytes of artifacts for browsers, by addresses that nobody can guess and that end.

A page asks :func:`offer` for an address; whoever has it gets the bytes, streamed, for a quarter of an hour. They come with a policy that
gives them no network, no place in our pages' origin, and nothing of what the browser knows of us, whatever they are.
"""

from __future__ import annotations
