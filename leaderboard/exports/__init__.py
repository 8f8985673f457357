"""The leaderboard as Markdown, CSV, JSON, LaTeX, on a terminal and as a page."""
