#!/bin/bash
#PBS -N relax-1
#PBS -t 0-99%10
#PBS -v SCIFLOW_BATCH=relax-1
#PBS -S /bin/bash
#PBS -j oe
#PBS -o /depot/runs/eos-1/batches/relax-1/out/
#PBS -m n
#PBS -l nodes=1:ppn=1
#PBS -l mem=2000mb
#PBS -l walltime=01:00:00

folder=/depot/runs/eos-1/batches/relax-1
element=$((${PBS_ARRAYID:-0}))
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
[ -d "$folder/out" ] || mkdir -p "$folder/out"
exec >> "$folder/out/$element" 2>&1
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
