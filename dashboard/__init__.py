"""The dashboard, installed as ``prefect_ledger.dashboard``: an application of Streamlit over the public API.

``server`` starts it, ``door`` and ``people`` say who is there, ``main`` has the pages; ``data`` asks the ledger, ``charts`` makes figures
of rows and knows neither Streamlit nor the ledger, ``parts`` are what several pages show, and a page only puts them together. Modules of
this folder import one another relatively, because they lie at the top of the repository and inside the package once installed.
"""

from __future__ import annotations
