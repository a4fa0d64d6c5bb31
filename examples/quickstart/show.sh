#!/bin/sh
# Say which rule was triggered. What the script was given, `logtrigger -D 2` shows by itself: the LT_ variables above this line.

echo "Hello from the script of rule $LT_name."
