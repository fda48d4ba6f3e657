"""The tests; a package of that name, because some library installs one of its own."""
