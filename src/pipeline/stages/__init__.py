"""One function per rule: the only room that composes the others."""
