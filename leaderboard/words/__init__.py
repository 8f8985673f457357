"""The words around a table: notes, sentences of the tests, facts of a run."""
