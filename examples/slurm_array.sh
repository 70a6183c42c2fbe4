#!/bin/sh
# A study as a SLURM job array. The tasks need no order and may run again:  sbatch examples/slurm_array.sh
# Then the command without --part finishes the study and writes the report: sbatch --dependency=singleton …
# Once all are done, the same command without --part finishes the study and writes the report.
#SBATCH --cpus-per-task=4
set -e
part="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
fewlevels study --preset quick --dataset digits5 --out study --part "$part" --jobs "${SLURM_CPUS_PER_TASK:-1}"
