"""From facts to pages: HTML, Markdown, CSV and figures."""
