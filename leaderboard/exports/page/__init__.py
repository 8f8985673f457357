"""The leaderboard as a page that opens from disk: tables, figures and viewers, made from run records alone."""
