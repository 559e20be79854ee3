#!/bin/sh
# Writes .env beside this file from .env.example, with a random secret for every password that is empty. An .env that is there stays as it is.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
  echo ".env is there already: left as it is" >&2
  exit 1
fi
umask 077
while IFS= read -r line; do
  case $line in
    *PASSWORD=) printf '%s%s\n' "$line" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) printf '%s\n' "$line" ;;
  esac
done <.env.example >.env.part
mv .env.part .env
echo "wrote $(pwd)/.env"
