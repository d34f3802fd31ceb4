"""The report for people: one HTML file that needs nothing but a browser."""
