"""Registration to a template, and the way back."""
