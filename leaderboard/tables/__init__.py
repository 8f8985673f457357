"""Tables: which runs compare, and what each row and column says."""
