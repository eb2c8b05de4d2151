#!/bin/sh
# The platform installs from requirements.txt where there is one, and else by its own pipenv, which
# may be one that refuses a lock without sources. Here it is the lock itself, hashes and all.
set -eu
cd "$(dirname "$0")/../../.."
python3 deploy/locked.py > requirements.txt
