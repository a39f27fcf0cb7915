"""`icws lab`: the command, and what it does while its labs run."""
