"""How numbers are drawn and computed: a counter-based generator, and denormal numbers as 0."""
