#!/bin/sh
# Say which rule was triggered, by which line: with -D 2 logtrigger shows this, and every LT_ variable, by itself.
# Nothing in a value can end its line: control characters of the log arrive as "?".

echo "Hello from the script of rule $LT_name."
echo "The line said: $LT_body"
