#!/bin/sh
# Print what a script is given: the rule's name, and every variable with it.
# Nothing in a value can end its line: control characters of the log arrive as "?".

echo "Rule $LT_name was triggered; its script got:"
env | grep '^LT_' | sort
