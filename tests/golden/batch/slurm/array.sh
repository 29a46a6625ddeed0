#!/bin/bash
#SBATCH --job-name=relax-1
#SBATCH --array=0-99%10
#SBATCH --chdir="/depot/runs/eos-1/batches/relax-1"
#SBATCH --output="/depot/runs/eos-1/batches/relax-1/out/%a"
#SBATCH --open-mode=append
#SBATCH --export=ALL
#SBATCH --mail-type=NONE
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=2000M
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@60

folder=/depot/runs/eos-1/batches/relax-1
element=$((${SLURM_ARRAY_TASK_ID:-0}))
members=$element
runner=
told=
leave() {
    code=$?
    trap - EXIT
    for each in $members; do
        [ ! -e "$folder/done/$each" ] && [ ! -e "$folder/died/$each" ] || continue
        mkdir -p "$folder/died"
        echo "$code" > "$folder/died/.$each"
        mv -f "$folder/died/.$each" "$folder/died/$each"
    done
    exit "$code"
}
tell() {
    told=1
    kill -s "$1" "$runner" 2> /dev/null
}
trap leave EXIT
cd "$folder" || exit
for each in $members; do
    [ ! -e "$folder/died/$each" ] || rm -f "$folder/died/$each"
done
:
python3 /depot/code/runner.zip element /depot/runs/eos-1/batches/relax-1 "$element" < /dev/null &
runner=$!
trap 'tell TERM' TERM INT HUP
trap 'tell USR1' USR1 USR2 XCPU
wait "$runner"
code=$?
while [ -n "$told" ]; do
    told=
    wait "$runner"
    code=$?
done
exit "$code"
