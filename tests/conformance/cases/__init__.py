"""The cases, a module a subject; each imports what its own ops need and no more, since workers import it."""
