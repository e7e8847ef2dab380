"""Each library that people bring to a lake, by its real package. `.ci/ecosystem` installs all and lets none skip."""
