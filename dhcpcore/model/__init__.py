"""The nouns: frozen, keyword-only, valid or not built."""
