"""README.md for packages, which are read away from the repository: its relative links lead to the repository."""

import re

LINK = re.compile(r"\]\((?!\w+:|#)([^)]+)\)")


def with_absolute_links(text, repository):
    """Return Markdown whose links to files are addresses below ``repository``, or plain text if that is not known."""
    if repository:
        return LINK.sub(rf"]({repository.rstrip('/')}/blob/main/\1)", text)
    return re.sub(r"\[([^\[\]]+)\]\((?!\w+:|#)[^)]+\)", r"\1", text)


def project_urls(repository):
    """Return the links that a package index shows, or none if the repository is not known."""
    if not repository:
        return {}
    home = repository.rstrip("/")
    return {
        "Repository": home,
        "Documentation": f"{home}/tree/main/docs",
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
        "Issues": f"{home}/issues",
        "Security": f"{home}/blob/main/SECURITY.md",
    }
