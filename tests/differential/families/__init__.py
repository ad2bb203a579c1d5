"""One module a family of commands: ATOMS (what {name} stands for), SETUP (lines run first), TABLE (lines drawn at random;
a leading `5*` makes a line five times as likely), LIMITS (directives set to a random choice at the start of a round)."""
