#!/bin/sh
# The paper's network on the four-level TaOx device that the paper itself cites (Lee et al., 2018): are four states enough?
set -e
fewlevels study --preset quick --dataset digits5 --out study # what is there already is not trained again
fewlevels fit --network study --device lee2018_taox --out taox
