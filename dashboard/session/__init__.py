"""TabSessions: what a person has done on the page, and what they may do."""
