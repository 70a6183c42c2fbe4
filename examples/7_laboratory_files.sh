#!/bin/sh
# From a laboratory's files to a yield and a table to program. The files are made up: eight levels of twenty reads each,
# a sweep there and back, means and spreads after an hour, a day and a week, 0.01 % stuck devices.
set -e
files="$(dirname "$0")/laboratory"
fewlevels devices --from "$files/levels.csv" --iv "$files/iv.csv" --retention "$files/retention.csv" \
    --stuck-on 0.00005 --stuck-off 0.00005 -o mine.toml
fewlevels study --preset quick --dataset digits5 --out study # what is there already is not trained again
fewlevels fit --network study --device mine.toml --after-seconds 604800 --out mine
