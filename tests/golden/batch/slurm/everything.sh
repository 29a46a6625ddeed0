#!/bin/bash
#SBATCH --job-name=relax-1
#SBATCH --array=0-6%2
#SBATCH --chdir="/depot/runs/eos-1/batches/relax-1"
#SBATCH --output="/depot/runs/eos-1/batches/relax-1/out/%a"
#SBATCH --open-mode=append
#SBATCH --export=ALL
#SBATCH --mail-type=NONE
#SBATCH --nodes=2
#SBATCH --ntasks=16
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=4
#SBATCH --mem=24000M
#SBATCH --gres=gpu:a100:2
#SBATCH --time=25:01:02
#SBATCH --signal=B:USR1@60
#SBATCH --partition=long
#SBATCH --account=mat42
#SBATCH --qos=high
#SBATCH --constraint="skylake"
#SBATCH --exclusive
#SBATCH --licenses=vasp:1

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
module load 'qe/7.2 beta'
export OMP_PLACES=cores
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
