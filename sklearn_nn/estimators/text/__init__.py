"""Language models of characters: TextGenerator."""
