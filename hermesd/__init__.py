"""hermesd: keeps Hermes profiles, and one gateway process per profile the way you asked."""

__version__ = "0.1.0"
