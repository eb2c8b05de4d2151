#!/bin/sh
# Also when only the configuration changes.
exec "$(dirname "$0")/../../hooks/prebuild/requirements.sh"
