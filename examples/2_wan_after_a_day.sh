#!/bin/sh
# The paper's network on the RRAM of Wan et al. (2022), a day after programming: it does not work on enough chips.
# Fine-tuned for the device it does.
set -e
fewlevels study --preset quick --dataset digits5 --out study # what is there already is not trained again
fewlevels fit --network study --device wan2022_rram --after-seconds 86400 --out wan
fewlevels fit --network wan/finetuned.npz --data digits5 --device wan2022_rram --after-seconds 86400 --out wan_finetuned
