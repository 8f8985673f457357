"""The documentation as a site: pages that are made from the code, and what Markdown needs to become HTML. See mkdocs.yml."""
