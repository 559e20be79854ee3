"""What several pages show in the same way."""

from __future__ import annotations
