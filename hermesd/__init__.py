"""hermesd: keeps Hermes profiles, and one gateway process per profile the way you asked."""
